#pragma once

#include "data/loader.h"
#include "optim/optimizer.h"
#include "train/checkpoint-facts.h"
#include "train/options.h"
#include "train/state.h"
#include "train/tensor-copies.h"
#include "train/trainable-weights.h"

#include <string>

namespace llamatune {

// What a checkpoint stores of a run besides its state. All members must outlive this.
struct checkpoint_parts {
    const train_options & options;
    const trainable_weights & weights;
    const optimizer & optim;
    const checkpoint_facts & facts;
    tensor_copies * best = nullptr; // may be null
    tensor_copies * kept = nullptr; // of tensors_of_training(); may be null
};

// All tensors that training changes: the parameters and the optimizer's state.
std::vector<ggml_tensor *> tensors_of_training(const parameter_set & parameters, const optimizer & optim);

// Writes a checkpoint: the parameters, the optimizer's state by name, the best weights so far, the copies that adaptive
// training keeps, the state and the facts of the run, and a checksum. It is written atomically. Throws error
// OUTPUT_NOT_WRITABLE.
void write_checkpoint(const std::string & path, const std::string & run, const checkpoint_parts & parts,
                      const train_state & state);

struct restored_checkpoint {
    train_state state;
    std::string run;         // the run that wrote it
    int64_t total_steps;     // which that run had
    bool lacks_best = false; // it has no best weights, although they are asked for and there were evaluations
    bool differs = false;    // the run that continues is not exactly that run
};

// Restores parameters, optimizer state and best weights exactly, and moves `data` to the next step. Throws error
// CHECKPOINT_INVALID if the file is damaged, and CHECKPOINT_MISMATCH if the run differs from the checkpoint's in
// something that is not allowed to differ; the error names all differences. More steps are always allowed.
restored_checkpoint read_checkpoint(const std::string & path, const checkpoint_parts & parts, loader & data);

}
