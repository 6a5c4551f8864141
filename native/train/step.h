#pragma once

#include "autodiff/engine/gradients.h"
#include "graph/compute.h"
#include "graph/forward.h"
#include "loss/objective.h"
#include "optim/parameter.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace llamatune {

struct step_options {
    std::shared_ptr<const objective> loss = make_objective({});
    bool with_backward = true;
    bool evaluation = false; // leave out what only training adds to the loss
    gradient_options gradient;
    int64_t loss_budget_bytes = 256ll << 20; // for one chunk of logits, probabilities and their gradient
    bool allocate = true;                    // false: only estimate the memory
    bool recompute = false;                  // recompute activations in the backward pass, except for the last piece
    bool profile = false;                    // time every node; slower, since nodes then run one by one
    // Called after each top-k selection (ARGSORT, TOP_K) of a step with a backward pass; it may overwrite the indices.
    // Tests use it to route tokens to the same experts on two devices.
    std::function<void(ggml_tensor * indices)> on_selection;
};

// The time of all nodes of one kind ("MUL_MAT q8_0 2048x1024"), summed over all runs.
struct profile_entry {
    std::string part;
    std::string kind;
    int64_t count = 0;
    double ms = 0;
};

struct step_timing {
    double forward_ms = 0, loss_ms = 0, backward_ms = 0;
};

// What a step runs on its devices for a micro-batch: the trunk once, and the chunk once for every `columns` targets.
struct step_graphs {
    ggml_cgraph * trunk;
    ggml_cgraph * chunk;
    const ggml_tensor * boundary; // the trunk's last node of the forward part
    int64_t columns;
    int trunk_splits, chunk_splits; // parts that run on one device each; data is copied between them
};

// The forward pass, loss and backward pass of a micro-batch, as graphs that are built and allocated once and run for
// every batch. The trunk's graph has the forward and the backward pass; between them, at the hidden state, the loss
// runs in chunks over the target positions only.
class step {
public:
    // `parameters` may be null without a backward pass; it must outlive this. Throws error UNSUPPORTED_OP (preflight),
    // TARGET_UNSUPPORTED (a parameter that the graph does not read), OUT_OF_MEMORY.
    step(std::unique_ptr<forward> graph, const compute & devices, const parameter_set * parameters,
         const step_options & options);
    ~step();

    // Adds the gradients of  scale · Σ weight · loss  over the targets to those of the parameters, and returns the sum
    // without the scale (nats).
    double run(const micro_batch & batch, double scale);

    // The loss of each target of the last batch, in order.
    const std::vector<float> & target_losses() const;
    // The objective's metrics, by name: the sum of weight · metric over the targets of the last batch. NaN if one of
    // the losses is not finite; before the first batch, 0.
    const named_numbers & metric_sums() const;
    const step_timing & timing() const;
    int64_t n_runs() const;
    std::vector<profile_entry> profile() const; // with options.profile: slowest first
    step_graphs graphs() const;
    size_t compute_bytes() const; // of the graphs' buffers, allocated or needed

private:
    struct state;
    std::unique_ptr<state> state_;
};

}
