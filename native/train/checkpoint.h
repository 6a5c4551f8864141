#pragma once

#include "data/loader.h"
#include "optim/optimizer.h"
#include "train/options.h"

#include <limits>
#include <optional>
#include <string>

namespace llamatune {

// How far a run has come, apart from its tensors.
struct checkpoint_state {
    int64_t step = 0;       // optimizer steps done
    int64_t updates = 0;    // steps that updated the parameters
    int64_t non_finite = 0; // steps in a row, up to the last, with a loss or gradient that is not finite
    data_cursor cursor;     // of the next step
    int64_t tokens = 0, target_tokens = 0;
    double loss = std::numeric_limits<double>::quiet_NaN(); // of the last step with targets
    double epoch_loss = 0, epoch_weight = 0; // sums over the targets of the epoch so far: weight · loss, weight
};

// One file per checkpoint, "checkpoint-<step>.gguf" in the directory: the parameters, the optimizer's state by name,
// and the run's state. It appears whole or not at all, so that the newest one there can always be resumed from. Returns
// the path. Throws error OUTPUT_NOT_WRITABLE.
std::string write_checkpoint(const std::string & directory, const train_options & options, const data_plan & data,
                             const parameter_set & parameters, const optimizer & optim, const checkpoint_state & state);

// The newest checkpoint's path, or nothing when the directory holds none.
std::optional<std::string> newest_checkpoint(const std::string & directory);

// Restores parameters and optimizer state exactly. Throws error CHECKPOINT_INVALID, CHECKPOINT_MISMATCH (other data,
// batch sizes, seed, optimizer or trained tensors).
checkpoint_state read_checkpoint(const std::string & path, const train_options & options, const data_plan & data,
                                 const parameter_set & parameters, const optimizer & optim);

}
