#pragma once

#include "autodiff/engine/gradients.h"
#include "data/batch.h"
#include "graph/graph-memory.h"
#include "loss/objective.h"
#include "model/expert-counter.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace llamatune {

// The compute buffers of one or several steps that run one at a time.
struct step_memory {
    explicit step_memory(const compute & devices) : trunk(devices), loss(devices) {}
    graph_memory trunk, loss;
};

struct step_options {
    std::shared_ptr<const objective> loss = make_objective({});
    bool with_backward = true;
    bool evaluation = false; // leave out what only training adds to the loss
    gradient_options gradient;
    int64_t loss_budget_bytes = 256ll << 20; // for one chunk of logits, probabilities and their gradient
    std::vector<batch_shape> largest;        // besides the first shape: allocate memory for these as well
    std::shared_ptr<step_memory> memory;     // shared with other steps; null: the step has its own
    bool allocate = true;                    // false: only estimate the memory
    bool recompute = false;                  // recompute activations in the backward pass, except for the last piece
    bool profile = false;                    // time every node; slower, since nodes then run one by one
    double load_balance = 0;                 // coefficient of the load-balance loss of routers; 0: none
    expert_counter * experts = nullptr;      // counts the experts that the tokens of steps with a backward pass choose
    // Called after each top-k selection (ARGSORT, TOP_K) of a step with a backward pass; it may overwrite the indices.
    // Tests use it to route tokens to the same experts on two devices.
    std::function<void(ggml_tensor * indices)> on_selection;
};

}
