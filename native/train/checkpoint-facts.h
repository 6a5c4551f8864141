#pragma once

#include "core/error.h"
#include "data/token-file.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "optim/optimizer.h"
#include "train/options.h"
#include "train/trainable-weights.h"

#include <string>
#include <vector>

namespace llamatune {

// The facts about a run that decide what its steps compute: the model, the data, and the options that matter. Devices,
// the layout of batches and paths are not among them. A checkpoint stores all facts, as texts.
class checkpoint_facts {
public:
    // Call it before the weights change. `validation_file` may be null.
    checkpoint_facts(const model & base, const train_options & options, const token_file & train_file,
                     const token_file * validation_file, const trainable_weights & weights, const optimizer & optim);

    void write(gguf_writer & file) const;

    // Returns all differences from the facts in a file, as problems: the option, "is X, but was Y".
    std::vector<problem> differences(const gguf_reader & file) const;

private:
    std::vector<run_fact> facts_;
};

}
