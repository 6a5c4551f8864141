#pragma once

#include "core/graph-builder.h"
#include "graph/forward.h"
#include "train/load-balance.h"
#include "train/step-context.h"

#include <memory>
#include <optional>

namespace llamatune {

// The forward and backward graph of micro-batches of one shape, from the embeddings to the hidden states and back.
class trunk {
public:
    // Check findings() before the graph runs: it has no backward pass if a rule is missing.
    trunk(std::unique_ptr<forward> graph, const step_context & context);

    forward & inputs() const { return *forward_; }
    const batch_shape & shape() const { return forward_->shape(); }
    const shared_graph & graph() const { return *graph_; }
    // The last node of the forward part.
    const ggml_tensor * boundary() const { return boundary_; }
    // Does the loss have to compute the gradient of the hidden states?
    bool needs_dhidden() const { return needs_dhidden_; }
    const graph_findings & findings() const { return findings_; }
    // Null without a load-balance loss.
    load_balance * balance() const { return balance_.get(); }

private:
    void add_backward(gradients & g, const std::vector<ggml_tensor *> & nodes, const step_context & context);

    std::unique_ptr<forward> forward_;
    std::shared_ptr<const void> kernels_; // of fused nodes
    graph_builder nodes_;
    ggml_tensor * boundary_ = nullptr;
    bool needs_dhidden_ = false;
    std::unique_ptr<load_balance> balance_;
    graph_findings findings_;
    std::optional<shared_graph> graph_;
};

}
