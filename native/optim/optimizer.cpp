#include "optim/optimizer.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace llamatune {

double clip_coefficient(double gradient_norm, double max_norm) {
    return max_norm > 0 ? std::min(1.0, max_norm / (gradient_norm + 1e-6)) : 1.0;
}

uint64_t optimizer_state_bytes(const optimizer_options & options, int64_t n_elements) {
    return make_optimizer_rule(options)->state_names().size() * uint64_t(n_elements) * sizeof(float);
}

optimizer::optimizer(const parameter_set & parameters, const optimizer_options & options, const compute & devices)
    : optimizer(parameters, make_optimizer_rule(options), devices) {}

optimizer::optimizer(const parameter_set & parameters, std::unique_ptr<optimizer_rule> rule, const compute & devices)
    : devices_(devices), rule_(std::move(rule)), norm_memory_(devices), update_memory_(devices) {
    for (const std::string & name : rule_->state_names()) {
        state_.push_back({name, tensors_like(parameters.values(), "the optimizer's state '" + name + "'")});
    }
    build_inputs(parameters, devices);
    // a GPU's kernel for one small tensor takes as long as for a large one
    const bool whole_buffers = devices.multiplies_as_asked();
    build_norm(parameters, whole_buffers);
    build_update(parameters, whole_buffers);
    norm_memory_.reserve(norm_graph_.emplace(norm_nodes_.finish(), "the gradient norm"));
    update_memory_.reserve(update_graph_.emplace(update_nodes_.finish(), "the optimizer"));
}

void optimizer::build_inputs(const parameter_set & parameters, const compute & devices) {
    inputs_ctx_.reset(ggml_init({ggml_tensor_overhead() * (parameters.all().size() + 1), nullptr, true}));
    clip_ = ggml_new_tensor_1d(inputs_ctx_.get(), GGML_TYPE_F32, 1);
    ggml_set_input(clip_);
    for (const parameter & p : parameters.all()) group_of(p);
    inputs_.reset(ggml_backend_alloc_ctx_tensors_from_buft(inputs_ctx_.get(), devices.host_buffer_type()));
    if (!inputs_) throw error("OUT_OF_MEMORY", "out of memory allocating the optimizer's inputs");
}

optimizer::group & optimizer::group_of(const parameter & p) {
    for (group & g : groups_) {
        if (g.learning_rate_scale == p.learning_rate_scale && g.decay == p.decay) return g;
    }
    const auto n_numbers = int64_t(rule_->numbers(1, 0, false).size());
    groups_.push_back(
        {p.learning_rate_scale, p.decay, ggml_new_tensor_1d(inputs_ctx_.get(), GGML_TYPE_F32, n_numbers)});
    ggml_set_input(groups_.back().numbers);
    return groups_.back();
}

void optimizer::build_norm(const parameter_set & parameters, bool whole_buffers) {
    tensor_arena & ctx = norm_nodes_.ctx();
    std::vector<ggml_tensor *> parts;
    if (whole_buffers) {
        constexpr int64_t part = 1 << 24; // numbers; their squares take memory
        for (ggml_tensor * all : parameters.gradient_buffers()) {
            for (int64_t first = 0; first < all->ne[0]; first += part) {
                parts.push_back(
                    ggml_view_1d(ctx, all, std::min(part, all->ne[0] - first), size_t(first) * sizeof(float)));
            }
        }
    } else {
        for (const parameter & p : parameters.all()) parts.push_back(p.gradient);
    }
    for (ggml_tensor * gradients : parts) {
        ggml_tensor * squared = ggml_sum(ctx, ggml_sqr(ctx, gradients));
        squared_norm_ = squared_norm_ ? ggml_add(ctx, squared_norm_, squared) : squared;
    }
    ggml_set_output(squared_norm_);
    norm_nodes_.expand(squared_norm_);
}

void optimizer::build_update(const parameter_set & parameters, bool whole_buffers) {
    tensor_arena & ctx = update_nodes_.ctx();
    std::unordered_map<ggml_backend_buffer_t, ggml_tensor *> clipped_buffers;
    if (whole_buffers) {
        for (ggml_tensor * all : parameters.gradient_buffers()) {
            clipped_buffers[all->buffer] = ggml_mul_inplace(ctx, all, clip_);
        }
    }
    const auto clipped_gradient = [&](const parameter & p) {
        const auto found = clipped_buffers.find(p.gradient->buffer);
        if (found == clipped_buffers.end()) return ggml_mul(ctx, p.gradient, clip_);
        const ggml_tensor * g = p.gradient;
        const auto offset =
            size_t(static_cast<const char *>(g->data) - static_cast<char *>(found->second->view_src->data));
        return ggml_view_4d(ctx, found->second, g->ne[0], g->ne[1], g->ne[2], g->ne[3], g->nb[1], g->nb[2], g->nb[3],
                            offset);
    };
    for (size_t i = 0; i < parameters.all().size(); i++) {
        const parameter & p = parameters.all()[i];
        std::vector<ggml_tensor *> state;
        for (const state_tensors & s : state_) state.push_back(s.tensors.all()[i]);
        ggml_set_param(p.value); // ggml's optimizer ops require the flag
        for (ggml_tensor * node : rule_->update(ctx, p, clipped_gradient(p), state, group_of(p).numbers)) {
            update_nodes_.expand(node);
        }
    }
}

double optimizer::gradient_norm() {
    norm_memory_.run(*norm_graph_);
    float squared = 0;
    ggml_backend_tensor_get(squared_norm_, &squared, 0, sizeof(squared));
    return std::sqrt(double(squared));
}

void optimizer::update(int64_t number, double learning_rate, double clip) {
    const float coefficient = float(clip);
    ggml_backend_tensor_set(clip_, &coefficient, 0, sizeof(coefficient));
    for (const group & g : groups_) {
        const std::vector<float> numbers =
            rule_->numbers(number, learning_rate * double(g.learning_rate_scale), g.decay);
        ggml_backend_tensor_set(g.numbers, numbers.data(), 0, numbers.size() * sizeof(float));
    }
    const compute::uninterrupted whole(devices_);
    update_memory_.run(*update_graph_);
}

}
