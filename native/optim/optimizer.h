#pragma once

#include "core/graph-builder.h"
#include "graph/graph-memory.h"
#include "optim/optimizer-rule.h"

#include <optional>

namespace llamatune {

// Updates the parameters on their devices, with two graphs that are built once: the norm of all gradients and the
// update.
class optimizer {
public:
    // `parameters` and `devices` must outlive this. Throws error CONFIG_INVALID, OUT_OF_MEMORY.
    optimizer(const parameter_set & parameters, const optimizer_options & options, const compute & devices);
    optimizer(const parameter_set & parameters, std::unique_ptr<optimizer_rule> rule, const compute & devices);

    // Computes the global L2 norm of the gradients, before clipping.
    double gradient_norm();

    // Updates the parameters; a stop flag does not interrupt it. `number` counts the updates from 1; the gradients are
    // multiplied by `clip`.
    void update(int64_t number, double learning_rate, double clip);

    // One state tensor per parameter, in the parameters' order.
    struct state_tensors {
        std::string name;
        tensors_like tensors;
    };
    const std::vector<state_tensors> & state() const { return state_; }

private:
    struct group { // parameters with the same numbers
        float learning_rate_scale;
        bool decay;
        ggml_tensor * numbers;
    };
    void build_inputs(const parameter_set & parameters, const compute & devices);
    // `whole_buffers`: the gradients of all parameters of a device at once
    void build_norm(const parameter_set & parameters, bool whole_buffers);
    void build_update(const parameter_set & parameters, bool whole_buffers);
    group & group_of(const parameter & p);

    const compute & devices_;
    std::unique_ptr<optimizer_rule> rule_;
    std::vector<state_tensors> state_;
    ggml_context_ptr inputs_ctx_;
    ggml_backend_buffer_ptr inputs_;
    std::vector<group> groups_;
    ggml_tensor * clip_; // F32 [1]
    ggml_tensor * squared_norm_ = nullptr;
    graph_builder norm_nodes_, update_nodes_;
    graph_memory norm_memory_, update_memory_;
    std::optional<shared_graph> norm_graph_, update_graph_;
};

// The coefficient of global-norm clipping, min(1, max_norm / (‖g‖ + 1e-6)) (Pascanu et al., arXiv 1211.5063); 1 if
// max_norm is 0.
double clip_coefficient(double gradient_norm, double max_norm);

// The size of the optimizer's state for n_elements trained numbers.
uint64_t optimizer_state_bytes(const optimizer_options & options, int64_t n_elements);

}
