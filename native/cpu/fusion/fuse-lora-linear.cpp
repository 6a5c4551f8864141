#include "cpu/fusion/passes.h"

#include "cpu/kernels/lora-linear.h"

#include <cstring>

namespace llamatune {

namespace {

struct lora_nodes {
    ggml_tensor *sum, *base, *down, *up, *scaled;
};

// The nodes below an addition, if it is a linear layer with its LoRA pair.
bool match(const fusion & f, ggml_tensor * sum, lora_nodes & n) {
    if (sum->op != GGML_OP_ADD || !dense_f32(sum) || !ggml_are_same_shape(sum->src[0], sum->src[1])) return false;
    n = {sum, sum->src[0], nullptr, nullptr, sum->src[1]};
    if (!f.only_for_one(n.base, GGML_OP_MUL_MAT) || !f.only_for_one(n.scaled, GGML_OP_SCALE)) return false;
    n.up = n.scaled->src[0];
    if (!f.only_for_one(n.up, GGML_OP_MUL_MAT) || !f.only_for_one(n.up->src[1], GGML_OP_MUL_MAT)) return false;
    n.down = n.up->src[1];
    float bias;
    std::memcpy(&bias, reinterpret_cast<const float *>(n.scaled->op_params) + 1, sizeof(bias));
    const ggml_tensor *w = n.base->src[0], *a = n.down->src[0], *b = n.up->src[0], *x = n.base->src[1];
    const bool leaves = w->op == GGML_OP_NONE && a->op == GGML_OP_NONE && b->op == GGML_OP_NONE;
    const bool readable = w->type == GGML_TYPE_F32 || ggml_get_type_traits(w->type)->to_float;
    return bias == 0.0f && leaves && readable && x == n.down->src[1] && !f.g().wants(w) && dense_f32(a) &&
           dense_f32(b) && ggml_is_matrix(w) && ggml_is_contiguous(w) && ggml_is_matrix(x) &&
           x->type == GGML_TYPE_F32 && x->nb[0] == sizeof(float);
}

// Sources of the node: W, x, A, B. Sources of its gradient node: the same, dy, then the gradients of A and B if they
// are trained.
node_rule rule_of(host_ops & ops, float scale) {
    return [&ops, scale](gradients & g, ggml_tensor * node, ggml_tensor * dy) {
        ggml_tensor *w = node->src[0], *x = node->src[1], *a = node->src[2], *b = node->src[3];
        ggml_tensor * da = g.wants(a) ? g.accumulator(a) : nullptr;
        ggml_tensor * db = g.wants(b) ? g.accumulator(b) : nullptr;
        const bool wants_dx = g.wants(x);
        ggml_tensor * before = wants_dx ? g.unshared(x) : nullptr;
        std::vector<ggml_tensor *> sources{w, x, a, b, dy};
        for (ggml_tensor * more : {da, db, before}) {
            if (more) sources.push_back(more);
        }
        const bool adds = before != nullptr, with_da = da != nullptr, with_db = db != nullptr;
        const auto kernel = [=](ggml_tensor * out, executor & exec) {
            int next = 5;
            const auto data = [&](bool present) {
                return present ? static_cast<float *>(out->src[next++]->data) : nullptr;
            };
            lora_linear_gradients to{};
            to.da = data(with_da);
            to.db = data(with_db);
            to.dx = wants_dx ? static_cast<float *>(out->data) : nullptr;
            to.add_to_dx = adds;
            lora_linear_back(exec, out->src[0], out->src[1], out->src[2], out->src[3], scale, out->src[4], to);
        };
        const auto scratch = [=](const ggml_tensor * out, const executor & exec) {
            return lora_linear_back_scratch(exec, out->src[0], out->src[1]->ne[1], out->src[2]->ne[1], wants_dx);
        };
        add_linear_back(g, ops, "LORA_LINEAR_BACK", x, before, sources, kernel, scratch);
    };
}

}

void fuse_lora_linears(fusion & f) {
    for (ggml_tensor * node : f.nodes()) {
        lora_nodes n;
        if (!match(f, node, n)) continue;
        float scale;
        std::memcpy(&scale, n.scaled->op_params, sizeof(scale));
        f.ops().replace(
            node, "LORA_LINEAR", {n.base->src[0], n.base->src[1], n.down->src[0], n.up->src[0]},
            [scale](ggml_tensor * y, executor & exec) {
                lora_linear(exec, y->src[0], y->src[1], y->src[2], y->src[3], scale, y);
            },
            [](const ggml_tensor * y, const executor & exec) {
                return lora_linear_scratch(exec, y->src[0], y->ne[1], y->src[2]->ne[1]);
            });
        f.g().set_rule(node, rule_of(f.ops(), scale));
        for (ggml_tensor * t : {n.base, n.down, n.up, n.scaled}) f.drop(t);
    }
}

}
