#pragma once

#include "data/write-token-file.h"
#include "train/run.h"

#include <memory>
#include <string>
#include <vector>

namespace tiny {

using namespace llamatune;

// The events of a run, by type, and its result.
struct recorded_run {
    std::vector<step_event> steps;
    std::vector<evaluation_event> evaluations;
    std::vector<checkpoint_event> checkpoints;
    std::vector<epoch_event> epochs;
    std::vector<warning_event> warnings;
    train_result result{};
};

recorded_run run(const std::shared_ptr<model> & m, const train_options & options);

// Samples of random tokens; all but the first token of each are targets.
std::vector<harness::token_sample> random_samples(const model & m, size_t n, size_t shortest, size_t longest,
                                                  uint64_t seed = 3);

// Options of a run on these samples, which are written to a token file of this name.
train_options options_for(const std::string & name, const std::vector<harness::token_sample> & samples);

std::shared_ptr<model> arch_llama();

}
