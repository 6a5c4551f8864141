#include "train/load-balance.h"

#include "model/expert-counter.h"
#include "train/step-context.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <string>

namespace llamatune {

namespace {

// llama.cpp names the router's scores after their layer: "ffn_moe_probs-12". ggml names views of them
// "ffn_moe_probs-12 (reshaped)".
bool is_router(const ggml_tensor * node) {
    constexpr char name[] = "ffn_moe_probs-";
    constexpr size_t length = sizeof(name) - 1;
    return !std::strncmp(node->name, name, length) && !std::strchr(node->name, ' ');
}

// The number at the end of a node's name.
int layer_of(const ggml_tensor * node) { return std::atoi(std::strrchr(node->name, '-') + 1); }

}

load_balance::load_balance(const std::vector<ggml_tensor *> & nodes, int64_t n_tokens, const compute & devices) {
    std::map<int, const ggml_tensor *> choices;
    for (const ggml_tensor * node : nodes)
        if (expert_counter::is_choice(node)) choices.emplace(layer_of(node), node);
    for (ggml_tensor * node : nodes) {
        if (!is_router(node)) continue;
        const auto choice = choices.find(layer_of(node));
        // GroveMoE repeats a layer's choice for the small experts that each group shares.
        const bool repeated = std::any_of(layers_.begin(), layers_.end(),
                                          [&](const layer & l) { return layer_of(l.router) == layer_of(node); });
        if (choice != choices.end() && !repeated)
            layers_.push_back({node, kind_of(node), choice->second, nullptr, {}, {}});
    }
    if (layers_.empty()) return;
    ctx_.reset(ggml_init({(layers_.size() + 1) * ggml_tensor_overhead(), nullptr, true}));
    mask_ = ggml_new_tensor_2d(ctx_.get(), GGML_TYPE_F32, 1, n_tokens);
    for (layer & l : layers_) {
        l.weights = ggml_new_tensor_1d(ctx_.get(), GGML_TYPE_F32, l.router->ne[0]);
        l.counts.resize(size_t(l.router->ne[0]));
        l.probabilities.resize(size_t(l.router->ne[0]));
    }
    buffer_ = allocate_tensors(ctx_.get(), devices.output_buffer_type(), "the load-balance loss");
    ggml_backend_buffer_clear(buffer_.get(), 0);
}

load_balance::scores load_balance::kind_of(const ggml_tensor * router) {
    if (router->op == GGML_OP_SOFT_MAX) return scores::probabilities;
    const bool positive = router->op == GGML_OP_SQRT ||
                          (router->op == GGML_OP_UNARY && ggml_get_unary_op(router) == GGML_UNARY_OP_SIGMOID);
    return positive ? scores::positive : scores::logits;
}

void load_balance::add_gradients(gradients & g, ggml_tensor * boundary, bool on_host) const {
    tensor_arena & ctx = g.ctx();
    for (const layer & l : layers_) {
        if (!g.wants(l.router)) continue;
        ggml_tensor *weights = l.weights, *mask = mask_;
        if (!on_host) {
            // finish() writes these tensors at the boundary. See trunk::add_backward().
            weights = ggml_cont(ctx, weights), mask = ggml_cont(ctx, mask);
            weights->src[1] = mask->src[1] = boundary;
        }
        ggml_tensor * dp = ggml_mul(ctx, ggml_repeat(ctx, weights, l.router), mask); // [n_expert, n_tokens]
        g.add(l.router, router_gradient(ctx, l, dp));
    }
}

// The gradient of the router's scores, given that of the probabilities.
ggml_tensor * load_balance::router_gradient(tensor_arena & ctx, const layer & l, ggml_tensor * dp) {
    if (l.kind == scores::probabilities) return dp;
    ggml_tensor * sum = l.kind == scores::positive ? ggml_sum_rows(ctx, l.router) : nullptr; // [1, n_tokens]
    ggml_tensor * p = sum ? ggml_div(ctx, l.router, sum) : ggml_soft_max(ctx, l.router);
    ggml_tensor * mean = ggml_sum_rows(ctx, ggml_mul(ctx, dp, p)); // [1, n_tokens]
    ggml_tensor * centred = ggml_sub(ctx, dp, mean);
    return sum ? ggml_div(ctx, centred, sum) : ggml_mul(ctx, centred, p);
}

bool load_balance::reads(const ggml_tensor * node) const {
    return std::any_of(layers_.begin(), layers_.end(),
                       [&](const layer & l) { return l.router == node || l.choice == node; });
}

void load_balance::read(const ggml_tensor * node, const std::vector<int32_t> & segment_id) {
    for (layer & l : layers_) {
        if (l.choice == node) {
            std::fill(l.counts.begin(), l.counts.end(), 0);
            count_choices(node, segment_id, l.counts);
        }
        if (l.router != node) continue;
        const auto n_experts = size_t(node->ne[0]);
        values_.resize(size_t(ggml_nelements(node)));
        ggml_backend_tensor_get(node, values_.data(), 0, values_.size() * sizeof(float));
        std::fill(l.probabilities.begin(), l.probabilities.end(), 0.0);
        for (size_t token = 0; token < segment_id.size(); token++)
            if (segment_id[token] >= 0) add_probabilities(l, values_.data() + token * n_experts, l.probabilities);
    }
}

void load_balance::add_probabilities(const layer & l, const float * values, std::vector<double> & to) {
    const size_t n = to.size();
    std::vector<double> p(values, values + n);
    const double highest = *std::max_element(p.begin(), p.end());
    if (l.kind == scores::logits)
        for (double & each : p) each = std::exp(each - highest);
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (size_t i = 0; i < n; i++) to[i] += p[i] / sum;
}

double load_balance::finish(double factor, const std::vector<int32_t> & segment_id) {
    const auto n_tokens = std::count_if(segment_id.begin(), segment_id.end(), [](int32_t id) { return id >= 0; });
    values_.assign(segment_id.size(), 0.0f);
    for (size_t i = 0; i < segment_id.size(); i++) values_[i] = segment_id[i] >= 0 ? 1.0f : 0.0f;
    ggml_backend_tensor_set(mask_, values_.data(), 0, ggml_nbytes(mask_));
    double loss = 0;
    for (layer & l : layers_) {
        const auto n_choices = double(std::accumulate(l.counts.begin(), l.counts.end(), int64_t(0)));
        const auto n_experts = double(l.counts.size());
        values_.resize(l.counts.size());
        for (size_t i = 0; i < l.counts.size(); i++) {
            const double share = double(l.counts[i]) / n_choices;
            loss += n_experts * share * l.probabilities[i] / double(n_tokens);
            values_[i] = float(factor * n_experts * share);
        }
        ggml_backend_tensor_set(l.weights, values_.data(), 0, ggml_nbytes(l.weights));
    }
    return loss / double(layers_.size());
}

}
