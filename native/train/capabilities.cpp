#include "train/capabilities.h"

#include "autodiff/engine/backward.h"
#include "backends/backend-name.h"
#include "loss/objective.h"
#include "optim/optimizer-rule.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace llamatune {

namespace {

constexpr int64_t n_embd = 256, n_head = 4, n_head_kv = 2, head_size = n_embd / n_head, n_tokens = 32, rank = 8,
                  n_vocab = 512;

// A transformer layer as llama.cpp would build it, with weights of one type and a LoRA pair for each.
class layer {
public:
    layer(tensor_arena & ctx, ggml_type weight_type) : ctx_(ctx), type_(weight_type) {}

    ggml_tensor * build() {
        ggml_tensor * x = vector(n_embd, n_tokens);
        ggml_tensor * positions = add(ggml_new_tensor_1d(ctx_, GGML_TYPE_I32, n_tokens));
        ggml_tensor * mask = add(ggml_new_tensor_2d(ctx_, GGML_TYPE_F32, n_tokens, n_tokens));

        ggml_tensor * normed = norm(x);
        ggml_tensor * q = rope(linear(normed, n_embd), n_head, positions);
        ggml_tensor * k = rope(linear(normed, head_size * n_head_kv), n_head_kv, positions);
        ggml_tensor * v =
            add(ggml_reshape_3d(ctx_, linear(normed, head_size * n_head_kv), head_size, n_head_kv, n_tokens));
        q = add(ggml_permute(ctx_, q, 0, 2, 1, 3));
        k = add(ggml_permute(ctx_, k, 0, 2, 1, 3));
        v = add(ggml_cont(ctx_, add(ggml_permute(ctx_, v, 1, 2, 0, 3))));
        ggml_tensor * weights =
            add(ggml_soft_max_ext(ctx_, add(ggml_mul_mat(ctx_, k, q)), mask, 1.0f / std::sqrt(float(head_size)), 0.0f));
        ggml_tensor * mixed = add(ggml_permute(ctx_, add(ggml_mul_mat(ctx_, v, weights)), 0, 2, 1, 3));
        x = add(ggml_add(ctx_, x, linear(add(ggml_cont_2d(ctx_, mixed, n_embd, n_tokens)), n_embd)));

        ggml_tensor * hidden = norm(x);
        ggml_tensor * gated = add(ggml_swiglu_split(ctx_, linear(hidden, 2 * n_embd), linear(hidden, 2 * n_embd)));
        x = add(ggml_add(ctx_, x, linear(gated, n_embd)));
        return add(
            ggml_mul_mat(ctx_, ggml_new_tensor_2d(ctx_, type_, n_embd, n_vocab), norm(x))); // [n_vocab, n_tokens]
    }

    const std::vector<ggml_tensor *> & nodes() const { return nodes_; }
    const std::vector<ggml_tensor *> & trained() const { return trained_; }

private:
    ggml_tensor * add(ggml_tensor * t) {
        if (t->op != GGML_OP_NONE) nodes_.push_back(t);
        return t;
    }

    ggml_tensor * vector(int64_t n, int64_t columns) { return ggml_new_tensor_2d(ctx_, GGML_TYPE_F32, n, columns); }

    ggml_tensor * norm(ggml_tensor * x) {
        return add(ggml_mul(ctx_, add(ggml_rms_norm(ctx_, x, 1e-6f)), ggml_new_tensor_1d(ctx_, GGML_TYPE_F32, n_embd)));
    }

    ggml_tensor * linear(ggml_tensor * x, int64_t n_out) {
        ggml_tensor * a = vector(x->ne[0], rank);
        ggml_tensor * b = vector(rank, n_out);
        trained_.insert(trained_.end(), {a, b});
        ggml_tensor * frozen = add(ggml_mul_mat(ctx_, ggml_new_tensor_2d(ctx_, type_, x->ne[0], n_out), x));
        ggml_tensor * update = add(ggml_mul_mat(ctx_, b, add(ggml_mul_mat(ctx_, a, x))));
        return add(ggml_add(ctx_, frozen, add(ggml_scale(ctx_, update, 2.0f))));
    }

    ggml_tensor * rope(ggml_tensor * x, int64_t heads, ggml_tensor * positions) {
        ggml_tensor * split = add(ggml_reshape_3d(ctx_, x, head_size, heads, n_tokens));
        return add(ggml_rope_ext(ctx_, split, positions, nullptr, int(head_size), 2, 0, 10000.0f, 1.0f, 0.0f, 1.0f,
                                 32.0f, 1.0f));
    }

    tensor_arena & ctx_;
    ggml_type type_;
    std::vector<ggml_tensor *> nodes_, trained_;
};

std::set<std::string> missing_ops(ggml_backend_dev_t device, graph_builder & builder) {
    ggml_cgraph * graph = builder.finish();
    std::set<std::string> names;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        if (!ggml_backend_dev_supports_op(device, node)) names.insert(ggml_op_desc(node));
    }
    return names;
}

// Names the ops of the forward and backward pass that the device does not run.
std::set<std::string> missing_for_weights(ggml_backend_dev_t device, ggml_type type) {
    graph_builder builder;
    tensor_arena & ctx = builder.ctx();
    layer forward(ctx, type);
    ggml_tensor * logits = forward.build();
    builder.expand(logits);

    gradients g(builder, {device});
    for (const ggml_tensor * t : forward.trained()) g.want(t);
    mark_gradient_path(g, forward.nodes());
    const auto loss = make_objective({});
    const auto n_metrics = int64_t(loss->metric_names().size());
    const loss_chunk chunk{nullptr,
                           logits,
                           ggml_new_tensor_2d(ctx, GGML_TYPE_I32, 1, n_tokens),
                           ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 1, n_tokens),
                           ggml_new_tensor_1d(ctx, GGML_TYPE_F32, n_tokens),
                           ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n_tokens, n_metrics),
                           true,
                           false,
                           false};
    g.add(logits, loss->build(ctx, chunk, [&](ggml_tensor * node) { builder.expand(node); }).logits);
    run_backward(g, forward.nodes());
    for (const ggml_tensor * t : forward.trained()) builder.expand(g.of(t));
    return missing_ops(device, builder);
}

// Names the ops of an optimizer's update that the device does not run.
std::set<std::string> missing_for_optimizer(ggml_backend_dev_t device, const std::string & type) {
    graph_builder builder;
    tensor_arena & ctx = builder.ctx();
    const auto rule = make_optimizer_rule({type, {}});
    ggml_tensor * value = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n_embd, rank);
    ggml_set_param(value); // ggml's optimizer ops require the flag
    ggml_tensor * gradient = ggml_dup_tensor(ctx, value);
    std::vector<ggml_tensor *> state;
    for (size_t i = 0; i < rule->state_names().size(); i++) state.push_back(ggml_dup_tensor(ctx, value));
    ggml_tensor * numbers = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, int64_t(rule->numbers(1, 0, true).size()));
    for (ggml_tensor * node : rule->update(ctx, {{"", value}, gradient}, gradient, state, numbers))
        builder.expand(node);
    return missing_ops(device, builder);
}

// Lists the types that weights may have.
std::vector<ggml_type> weight_types() {
    std::vector<ggml_type> types;
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const auto type = ggml_type(i);
        const ggml_type_traits * traits = ggml_get_type_traits(type);
        const bool floats = type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
        const bool readable = type == GGML_TYPE_F32 || traits->to_float;
        if (traits->blck_size > 0 && n_embd % traits->blck_size == 0 && readable &&
            (floats || ggml_is_quantized(type))) {
            types.push_back(type);
        }
    }
    return types;
}

std::string upper_case(std::string text) {
    for (char & c : text) {
        if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
    }
    return text;
}

}

std::optional<train_capabilities> probe_training(ggml_backend_dev_t device) {
    if (backend_of(device) == "rpc") return std::nullopt;
    train_capabilities found;
    const std::set<std::string> with_f16 = missing_for_weights(device, GGML_TYPE_F16);
    found.missing.assign(with_f16.begin(), with_f16.end());
    for (ggml_type type : weight_types()) {
        const std::set<std::string> missing = missing_for_weights(device, type);
        const bool same = std::includes(with_f16.begin(), with_f16.end(), missing.begin(), missing.end());
        (same ? found.weight_types : found.other_weight_types).push_back(upper_case(ggml_type_name(type)));
    }
    for (const std::string & type : optimizer_types()) {
        const bool all = missing_for_optimizer(device, type).empty();
        (all ? found.optimizers : found.other_optimizers).push_back(type);
    }
    return found;
}

}
