#pragma once

#include "core/named-numbers.h"
#include "graph/forward.h"
#include "optim/parameter.h"
#include "train/profile.h"
#include "train/step-options.h"

#include <memory>
#include <vector>

namespace llamatune {

struct step_timing {
    double forward_ms = 0, loss_ms = 0, backward_ms = 0;
};

// What a step runs on its devices for a micro-batch of the last shape: the trunk once, and the chunk once for every
// `columns` targets.
struct step_graphs {
    ggml_cgraph * trunk;
    ggml_cgraph * chunk;
    const ggml_tensor * boundary; // the trunk's last node of the forward part
    int64_t columns;
    int trunk_splits, chunk_splits; // parts that run on one device each; data is copied between them
};

// The forward pass, loss and backward pass of a micro-batch. Each shape of a micro-batch has a graph, the trunk, that
// is built when the shape first occurs; all of them share their memory. The trunk has the forward and the backward
// pass; between them, at the hidden state, the loss runs in chunks over the target positions only.
class step {
public:
    // `graph` has the shape that needs the most memory, unless options.largest has others. `parameters` may be null
    // without a backward pass; it must outlive this. Throws error UNSUPPORTED_OP (preflight), TARGET_UNSUPPORTED (a
    // parameter that the graph does not read), OUT_OF_MEMORY.
    step(std::unique_ptr<forward> graph, const compute & devices, const parameter_set * parameters,
         const step_options & options);
    ~step();

    // Adds the gradients of  scale · Σ weight · loss  over the targets to those of the parameters, and returns the sum
    // without the scale (nats). With a load-balance loss, also adds the gradients of
    // coefficient · token_scale · tokens · Σ layers' loss. Throws error OUT_OF_MEMORY for a batch larger than the
    // largest shape.
    double run(const micro_batch & batch, double scale, double token_scale = 0);

    // The loss of each target of the last batch, in order.
    const std::vector<float> & target_losses() const;
    // The objective's metrics, by name: the sum of weight · metric over the targets of the last batch. NaN if one of
    // the losses is not finite; before the first batch, 0.
    const named_numbers & metric_sums() const;
    // The mean of the load-balance loss over the layers, in the last batch; NaN without that loss.
    double load_balance_loss() const;
    const step_timing & timing() const;
    int64_t n_runs() const;
    std::vector<profile_entry> profile() const; // with options.profile: slowest first
    step_graphs graphs() const;
    // Of the graphs' buffers and inputs and of the kernels' scratch memory, allocated or needed.
    size_t compute_bytes() const;
    // Of the structures that describe the graphs of the largest shapes.
    size_t graph_bytes() const;
    // Of the weights that the devices keep if their weight cache is on.
    size_t weight_cache_bytes() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}
