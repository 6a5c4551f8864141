#include "cpu/fusion/passes.h"

#include "cpu/kernels/expert-linear.h"

#include <cstring>

namespace llamatune {

namespace {

// Indices of the sources; those of the LoRA pair are null if there is none.
enum source { weight, input, ids, factor_a, factor_b, n_sources };

struct expert_nodes {
    ggml_tensor * last;
    ggml_tensor * base;
    ggml_tensor *down = nullptr, *up = nullptr, *scaled = nullptr; // of the pair
};

// The kernel adds to the gradient of a trained factor in place, so that gradient must exist.
bool is_factor(const fusion & f, const ggml_tensor * t) {
    return t->op == GGML_OP_NONE && dense_f32(t) && (!f.g().wants(t) || f.g().accumulator(t));
}

// Experts may be trained like factors, but not together with a LoRA pair.
bool is_product(const fusion & f, const ggml_tensor * node) {
    if (node->op != GGML_OP_MUL_MAT_ID || node->view_src) return false;
    const ggml_tensor *w = node->src[0], *x = node->src[1];
    const bool readable = w->type == GGML_TYPE_F32 || ggml_get_type_traits(w->type)->to_float;
    return (f.g().wants(w) ? is_factor(f, w) : w->op == GGML_OP_NONE) && readable && ggml_is_contiguous(w) &&
           x->type == GGML_TYPE_F32 && x->nb[0] == sizeof(float) && (x->ne[1] == 1 || x->ne[1] == node->ne[1]);
}

// base + scale · B (A x)
bool match_pair(const fusion & f, ggml_tensor * sum, expert_nodes & n) {
    if (sum->op != GGML_OP_ADD || !dense_f32(sum) || !ggml_are_same_shape(sum->src[0], sum->src[1])) return false;
    n = {sum, sum->src[0], nullptr, nullptr, sum->src[1]};
    if (!f.only_for_one(n.base, GGML_OP_MUL_MAT_ID) || !is_product(f, n.base) || f.g().wants(n.base->src[0]) ||
        !f.only_for_one(n.scaled, GGML_OP_SCALE))
        return false;
    n.up = n.scaled->src[0];
    if (!f.only_for_one(n.up, GGML_OP_MUL_MAT_ID) || !f.only_for_one(n.up->src[1], GGML_OP_MUL_MAT_ID)) return false;
    n.down = n.up->src[1];
    float bias;
    std::memcpy(&bias, reinterpret_cast<const float *>(n.scaled->op_params) + 1, sizeof(bias));
    const bool same =
        n.down->src[1] == n.base->src[1] && n.down->src[2] == n.base->src[2] && n.up->src[2] == n.base->src[2];
    return bias == 0.0f && same && is_factor(f, n.down->src[0]) && is_factor(f, n.up->src[0]);
}

expert_linear read(const ggml_tensor * node, float scale) {
    return {node->src[weight], node->src[input], node->src[ids], node->src[factor_a], node->src[factor_b], scale};
}

// Sources of the gradient node: the sources of the node, dy, then the gradients that it adds to.
node_rule rule_of(host_ops & ops, float scale) {
    return [&ops, scale](gradients & g, ggml_tensor * node, ggml_tensor * dy) {
        ggml_tensor *x = node->src[input], *a = node->src[factor_a], *b = node->src[factor_b];
        ggml_tensor * da = g.wants(a) ? g.accumulator(a) : nullptr;
        ggml_tensor * db = g.wants(b) ? g.accumulator(b) : nullptr;
        ggml_tensor * dw = g.wants(node->src[weight]) ? g.accumulator(node->src[weight]) : nullptr;
        const bool wants_dx = g.wants(x);
        ggml_tensor * before = wants_dx ? g.unshared(x) : nullptr;
        std::vector<ggml_tensor *> sources{node->src[weight], x, node->src[ids], a ? a : dy, b ? b : dy, dy};
        for (ggml_tensor * more : {da, db, dw, before}) { // at most 9: there is either a pair or trained experts
            if (more) sources.push_back(more);
        }
        const bool adds = before != nullptr, with_da = da != nullptr, with_db = db != nullptr, with_dw = dw != nullptr,
                   with_pair = a != nullptr;
        const auto kernel = [=](ggml_tensor * out, executor & exec) {
            expert_linear e = read(out, scale);
            if (!with_pair) e.a = e.b = nullptr;
            int next = n_sources + 1;
            const auto data = [&](bool present) {
                return present ? static_cast<float *>(out->src[next++]->data) : nullptr;
            };
            expert_gradients to{};
            to.da = data(with_da);
            to.db = data(with_db);
            to.dw = data(with_dw);
            to.dx = wants_dx ? static_cast<float *>(out->data) : nullptr;
            to.add_to_dx = adds;
            expert_linear_back(exec, e, out->src[n_sources], to);
        };
        const auto scratch = [=](const ggml_tensor * out, const executor & exec) {
            expert_linear e = read(out, scale);
            if (!with_pair) e.a = e.b = nullptr;
            return expert_linear_back_scratch(exec, e);
        };
        add_linear_back(g, ops, "EXPERT_LINEAR_BACK", x, before, sources, kernel, scratch);
    };
}

}

void fuse_experts(fusion & f) {
    const auto turn = [&](const expert_nodes & n) {
        float scale = 1.0f;
        std::vector<ggml_tensor *> sources{n.base->src[0], n.base->src[1], n.base->src[2]};
        if (n.down) {
            std::memcpy(&scale, n.scaled->op_params, sizeof(scale));
            sources.insert(sources.end(), {n.down->src[0], n.up->src[0]});
        }
        f.ops().replace(
            n.last, "EXPERT_LINEAR", sources,
            [scale](ggml_tensor * y, executor & exec) { expert_linear_forward(exec, read(y, scale), y); },
            [scale](const ggml_tensor * y, const executor & exec) {
                return expert_linear_scratch(exec, read(y, scale));
            });
        f.g().set_rule(n.last, rule_of(f.ops(), scale));
        for (ggml_tensor * t : {n.base, n.down, n.up, n.scaled}) {
            if (t && t != n.last) f.drop(t);
        }
    };
    for (ggml_tensor * node : f.nodes()) {
        expert_nodes n;
        if (match_pair(f, node, n)) turn(n);
    }
    for (ggml_tensor * node : f.remaining()) { // without a pair, or with one that is not fused
        if (is_product(f, node)) turn({node, node});
    }
}

}
