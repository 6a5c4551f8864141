#pragma once

// The members of a step, which is built in step-build.cpp and run in step.cpp.

#include "train/step.h"

#include <chrono>
#include <unordered_map>
#include <unordered_set>

namespace llamatune {

using step_clock = std::chrono::steady_clock;

// Loss scaling: many GPUs multiply F32 matrices as F16, whose smallest number is 6e-8, so a probability divided by the
// number of targets would underflow. There the gradient of the target with the largest weight is scaled to this
// number, which is in the middle of F16's range, and unscaled when gradients are accumulated.
constexpr float narrow_scale = 64.0f;

struct step::state {
    std::unique_ptr<forward> graph;
    const compute & devices;
    step_options options;

    // The tensors between the trunk and the loss. Their last column belongs to no token: the last chunk is filled up
    // with it.
    ggml_context_ptr kept_ctx, kept_gradient_ctx;
    ggml_backend_buffer_ptr kept_buffer, kept_gradient_buffer;
    ggml_tensor * hidden;  // [n_embd, n_tokens + 1]
    ggml_tensor * dhidden; // [n_embd, n_tokens + 1]
    ggml_tensor * unscale; // [1]

    std::shared_ptr<const void> kernels; // of the trunk's fused nodes
    graph_builder trunk_nodes;
    ggml_cgraph * trunk;
    ggml_tensor * boundary; // the last node of the forward part
    ggml_backend_sched_ptr trunk_scheduler;

    ggml_context_ptr chunk_input_ctx;
    ggml_backend_buffer_ptr chunk_inputs;
    int64_t columns;
    ggml_tensor * rows;    // I32 [columns]
    ggml_tensor * targets; // I32 [1, columns]
    ggml_tensor * weights; // F32 [1, columns]
    graph_builder chunk_nodes;
    ggml_cgraph * chunk;
    ggml_tensor * losses;  // F32 [columns], written by the chunk's graph
    ggml_tensor * metrics; // F32 [columns, metrics], written by the chunk's graph; null without metrics
    ggml_backend_sched_ptr chunk_scheduler;

    size_t bytes = 0;
    std::unordered_set<const ggml_tensor *> read;    // every source of the trunk and the head
    std::unordered_set<const ggml_tensor *> reached; // sources of nodes on the gradient path

    // the run in progress
    const micro_batch * batch = nullptr;
    double scale = 0;
    float largest_weight = 1; // of the batch's targets
    double total = 0;
    std::vector<float> target_losses, metric_values;
    std::vector<std::string> metric_names;
    named_numbers metric_sums;
    std::vector<int32_t> row_values, target_values;
    std::vector<float> weight_values;
    step_timing timing;
    int64_t n_runs = 0;
    step_clock::time_point started;
    bool past_boundary = false;
    step_clock::time_point node_started;
    std::unordered_map<std::string, profile_entry> profile;

    void build_kept();
    void build_chunk(const parameter_set * parameters, gradients & trunk_gradients,
                     std::vector<std::string> & without_rule);
    void note_reached(const gradients & g, const std::vector<ggml_tensor *> & nodes);
    void require_reached(const parameter_set & parameters) const;
    void set_padding();
    void run_loss();
    void add_metrics(size_t first, size_t count);
    static bool at_boundary(ggml_tensor * node, bool ask, void * self);
    void record(const char * part, const ggml_tensor * node);
    static bool on_chunk_node(ggml_tensor * node, bool ask, void * self);
    bool on_host() const;
    bool scales_loss() const;
    bool has_accelerator() const;
    void prepare(ggml_backend_sched_ptr & scheduler, const graph_builder & nodes, ggml_cgraph * built,
                 const char * what);
};

}
