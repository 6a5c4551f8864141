#pragma once

#include "optim/parameter.h"

namespace llamatune {

struct adamw_options {
    float beta1 = 0.9f;
    float beta2 = 0.999f;
    float epsilon = 1e-8f;
    float weight_decay = 0.0f;
};

// AdamW with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101), on the device, over all parameters:
//   m = β1 m + (1-β1) c g;  v = β2 v + (1-β2) (c g)²;  θ = θ (1 - η λ) - η m̂ / (√v̂ + ε)
// with the clip coefficient c = min(1, max_norm / (‖g‖ + 1e-6)) of global-norm clipping (Pascanu et al., 1211.5063).
// Both graphs are built here once; set_step() fills their numbers.
class adamw {
public:
    adamw(const parameter_set & parameters, const adamw_options & options, ggml_backend_buffer_type_t host);

    ggml_cgraph * norm_graph() const { return norm_graph_; }
    ggml_cgraph * update_graph() const { return update_graph_; }

    // After norm_graph() ran: the gradient's global norm, before clipping.
    double gradient_norm() const;

    // Before update_graph() runs: the 1-based update's number, its learning rate, and the clip coefficient.
    void set_step(int64_t step, double learning_rate, double clip);

    size_t max_nodes() const { return max_nodes_; }

private:
    adamw_options options_;
    ggml_context_ptr ctx_;
    ggml_backend_buffer_ptr inputs_;
    ggml_cgraph * norm_graph_;
    ggml_cgraph * update_graph_;
    ggml_tensor * squared_norm_;
    ggml_tensor * clip_;
    size_t max_nodes_;

    struct group {
        float learning_rate_scale;
        bool decay;
        ggml_tensor * numbers;
    };
    std::vector<group> groups_; // parameters that share their seven numbers
};

double clip_coefficient(double gradient_norm, double max_norm);

}
