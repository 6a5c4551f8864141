#pragma once

#include "data/loader.h"
#include "train/step.h"
#include "train/trainable-weights.h"

#include <atomic>

namespace llamatune {

// Computes the mean loss and metrics over a whole token file with the current parameters, without gradients.
class evaluator {
public:
    // Shares the compute buffers of the training step.
    evaluator(const std::shared_ptr<model> & base, const trainable_weights & weights, const train_options & options,
              const compute & devices, const std::shared_ptr<step_memory> & memory);

    const token_file & samples() const { return *file_; }

    struct outcome {
        double loss;
        named_numbers metrics;
        int64_t target_tokens;
        double ms;
    };
    // Throws error ABORTED when `stop` becomes true.
    outcome run(const std::atomic<bool> & stop);

private:
    std::unique_ptr<token_file> file_;
    std::unique_ptr<loader> data_;
    std::unique_ptr<step> step_;
    step_batch samples_;
};

}
