#include "optim/adamw.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>

namespace llamatune {

double clip_coefficient(double gradient_norm, double max_norm) {
    return max_norm > 0 ? std::min(1.0, max_norm / (gradient_norm + 1e-6)) : 1.0;
}

adamw::adamw(const parameter_set & parameters, const adamw_options & options, ggml_backend_buffer_type_t host)
    : options_(options), max_nodes_(parameters.all().size() * 4 + 64) {
    ctx_.reset(ggml_init(
        {ggml_tensor_overhead() * max_nodes_ * 2 + 2 * ggml_graph_overhead_custom(max_nodes_, false), nullptr, true}));
    ggml_context * ctx = ctx_.get();

    clip_ = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 1);
    ggml_set_input(clip_);
    for (const parameter & p : parameters.all()) {
        const auto same = [&](const group & g) {
            return g.learning_rate_scale == p.learning_rate_scale && g.decay == p.decay;
        };
        if (std::none_of(groups_.begin(), groups_.end(), same)) {
            groups_.push_back({p.learning_rate_scale, p.decay, ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 7)});
            ggml_set_input(groups_.back().numbers);
        }
    }
    inputs_.reset(ggml_backend_alloc_ctx_tensors_from_buft(ctx, host));
    if (!inputs_) { throw error("OUT_OF_MEMORY", "expected memory for the optimizer's numbers but received none"); }

    norm_graph_ = ggml_new_graph_custom(ctx, max_nodes_, false);
    squared_norm_ = nullptr;
    for (const parameter & p : parameters.all()) {
        ggml_tensor * squared = ggml_sum(ctx, ggml_sqr(ctx, p.gradient));
        squared_norm_ = squared_norm_ ? ggml_add(ctx, squared_norm_, squared) : squared;
    }
    ggml_set_output(squared_norm_);
    ggml_build_forward_expand(norm_graph_, squared_norm_);

    update_graph_ = ggml_new_graph_custom(ctx, max_nodes_, false);
    for (const parameter & p : parameters.all()) {
        ggml_tensor * numbers = nullptr;
        for (const group & g : groups_) {
            if (g.learning_rate_scale == p.learning_rate_scale && g.decay == p.decay) numbers = g.numbers;
        }
        ggml_tensor * clipped = ggml_mul(ctx, p.gradient, clip_);
        ggml_set_param(p.value); // asserted by the op
        ggml_build_forward_expand(update_graph_,
                                  ggml_opt_step_adamw(ctx, p.value, clipped, p.first_moment, p.second_moment, numbers));
    }
}

double adamw::gradient_norm() const {
    float squared = 0;
    ggml_backend_tensor_get(squared_norm_, &squared, 0, sizeof(squared));
    return std::sqrt(double(squared));
}

void adamw::set_step(int64_t step, double learning_rate, double clip) {
    const float coefficient = float(clip);
    ggml_backend_tensor_set(clip_, &coefficient, 0, sizeof(coefficient));
    for (const group & g : groups_) {
        const float numbers[7] = {
            float(learning_rate * g.learning_rate_scale),
            options_.beta1,
            options_.beta2,
            options_.epsilon,
            g.decay ? options_.weight_decay : 0.0f,
            float(1.0 / (1.0 - std::pow(double(options_.beta1), double(step)))), // m̂ = m · this
            float(1.0 / (1.0 - std::pow(double(options_.beta2), double(step)))), // v̂ = v · this
        };
        ggml_backend_tensor_set(g.numbers, numbers, 0, sizeof(numbers));
    }
}

}
