#pragma once

#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/event.h"
#include "train/step.h"

#include <atomic>
#include <vector>

namespace llamatune {

// The parts that train() works with. All of them must outlive the call.
struct train_parts {
    loader & data;
    step & model; // the graph with its objective: loss and gradients of a micro-batch
    parameter_set & parameters;
    optimizer & optim;
    double max_gradient_norm;                  // global-norm clipping (0 = off)
    const std::vector<float> & learning_rates; // the schedule: one per optimizer step
    evaluator * validation = nullptr;          // may be null
    int64_t evaluate_every = 0;                // optimizer steps (0 = only at the end)
    checkpoint_folder * checkpoints = nullptr; // may be null
};

// Trains from `state` to the end of the schedule and fills the result, except for its times. `stop` is polled at least
// once per micro-batch. Throws error ABORTED, NON_FINITE_LOSS, COMPUTE_FAILED, OUTPUT_NOT_WRITABLE.
train_result train(const train_parts & parts, train_state & state, const event_sink & on_event,
                   const std::atomic<bool> & stop);

}
