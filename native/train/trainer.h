#pragma once

#include "core/pause-gate.h"
#include "train/checkpoint-folder.h"
#include "train/decision.h"
#include "train/evaluate.h"
#include "train/event.h"
#include "train/step.h"
#include "train/tensor-copies.h"

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
    const std::vector<float> & learning_rates; // the schedule: one per batch of the data, which is a step
    evaluator * validation = nullptr;          // may be null
    int64_t evaluate_every = 0;                // optimizer steps (0 = only at the end)
    int64_t patience = 0;                      // evaluations without a lower loss that end the run (0 = none do)
    tensor_copies * best = nullptr;            // keeps those of the best evaluation; may be null
    checkpoint_folder * checkpoints = nullptr; // may be null
    expert_counter * experts = nullptr;        // counts the choices of `model`; may be null
    pause_gate * pause = nullptr;              // passed before each step; may be null
    decision_source decide;                    // adaptive training: asked before each update; may be empty
    tensor_copies * kept = nullptr;            // adaptive training: of weights and optimizer state
};

// Trains from `state` to the end of the schedule, or until the patience ends, and fills the result, except for its
// times. `stop` is polled at least once per micro-batch; a run that it ends writes a checkpoint of the last finished
// step, and so does one that a controller ended. Throws error ABORTED, NON_FINITE_LOSS, COMPUTE_FAILED, and the errors
// of decisions.
train_result train(const train_parts & parts, train_state & state, const event_sink & on_event,
                   const std::atomic<bool> & stop);

// Throws error ABORTED.
void throw_if_stopped(const std::atomic<bool> & stop);

}
