#pragma once

#include "core/graph-builder.h"
#include "graph/forward.h"
#include "train/step-context.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace llamatune {

// The targets of one chunk; a position is a column of the hidden states.
struct chunk_targets {
    const int32_t * positions;
    const int32_t * tokens;
    const float * weights;
    size_t n;
};

// The graph of the loss for a chunk of targets: logits, objective, and the gradient of the hidden states.
class loss_graph {
public:
    // `source` builds the output head; the graph serves every shape. Check findings() before the graph runs. Throws
    // error OUT_OF_MEMORY.
    loss_graph(const forward & source, const step_context & context, int64_t columns, bool needs_dhidden);

    int64_t columns() const { return columns_; }
    const shared_graph & graph() const { return *graph_; }
    const graph_findings & findings() const { return findings_; }

    // Sets the targets, at most `columns`, with their weights multiplied by `factor`.
    void set(const chunk_targets & targets, double factor);
    // Reads the losses of the first `n` targets after a run.
    void get_losses(float * losses, size_t n) const;
    // Reads the objective's metric `index` of the first `n` targets.
    void get_metric(size_t index, float * values, size_t n) const;

private:
    void make_inputs(const step_context & context);
    void build(const forward & source, const step_context & context, bool needs_dhidden);

    int64_t columns_;
    int32_t filler_; // the position of columns without a target
    ggml_context_ptr input_ctx_;
    ggml_backend_buffer_ptr inputs_;
    ggml_tensor * positions_;         // I32 [columns]
    ggml_tensor * targets_;           // I32 [1, columns]
    ggml_tensor * weights_;           // F32 [1, columns]
    ggml_tensor * losses_;            // F32 [columns], written by the graph
    ggml_tensor * metrics_ = nullptr; // F32 [columns, metrics], written by the graph; null without metrics
    std::vector<int32_t> position_values_, target_values_;
    std::vector<float> weight_values_;
    graph_builder nodes_;
    std::shared_ptr<const void> kernels_; // of the objective; nodes point into it
    graph_findings findings_;
    std::optional<shared_graph> graph_;
};

}
