#pragma once

#include "optim/optimizer.h"
#include "train/options.h"
#include "train/state.h"
#include "train/trainable-weights.h"

#include <optional>
#include <string>

namespace llamatune {

// Writes the file "checkpoint-<step>.gguf" in the directory: the parameters, the optimizer's state by name, and the
// run's state. It is written atomically, so that a run can always resume from the newest file. Returns the path. Throws
// error OUTPUT_NOT_WRITABLE.
std::string write_checkpoint(const std::string & directory, const train_options & options, const data_plan & data,
                             const trainable_weights & weights, const optimizer & optim, const train_state & state);

// Returns the newest checkpoint's path; not set if the directory has none.
std::optional<std::string> newest_checkpoint(const std::string & directory);

// Restores parameters and optimizer state exactly. Throws error CHECKPOINT_INVALID, CHECKPOINT_MISMATCH (another
// dataset, batch size, seed, optimizer, LoRA scale, objective or other trained tensors; it names all options that
// differ).
train_state read_checkpoint(const std::string & path, const train_options & options, const data_plan & data,
                            const trainable_weights & weights, const optimizer & optim);

// The checkpoints of a run.
class checkpoint_folder {
public:
    // options.checkpoint must be set. All arguments except `data` must outlive this.
    checkpoint_folder(const train_options & options, const data_plan & data, const trainable_weights & weights,
                      const optimizer & optim)
        : options_(options), data_(data), weights_(weights), optim_(optim) {}

    const std::string & directory() const { return options_.checkpoint->directory; }
    int64_t every_steps() const { return options_.checkpoint->every_steps; } // optimizer steps (0 = never)

    // Throw the errors of write_checkpoint and read_checkpoint.
    std::string write(const train_state & state) const {
        return write_checkpoint(directory(), options_, data_, weights_, optim_, state);
    }
    train_state restore(const std::string & path) const {
        return read_checkpoint(path, options_, data_, weights_, optim_);
    }

private:
    const train_options & options_;
    const data_plan data_;
    const trainable_weights & weights_;
    const optimizer & optim_;
};

}
