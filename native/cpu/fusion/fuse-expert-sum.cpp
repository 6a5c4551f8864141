#include "cpu/fusion/passes.h"

#include "cpu/kernels/expert-sum.h"

#include <cstring>
#include <vector>

namespace llamatune {

namespace {

// The product with the weights [n, n_used, n_tokens] if `view` is its slot i, [n, n_tokens].
bool is_slot(const ggml_tensor * view, const ggml_tensor * product, int64_t i) {
    size_t offset;
    std::memcpy(&offset, view->op_params, sizeof(offset));
    return view->op == GGML_OP_VIEW && view->src[0] == product && view->ne[0] == product->ne[0] &&
           view->ne[1] == product->ne[2] && view->ne[2] == 1 && view->ne[3] == 1 && view->nb[1] == product->nb[2] &&
           offset == size_t(i) * product->nb[1];
}

// The product and the nodes to drop below the last addition of ((slot 0 + slot 1) + slot 2) + ….
ggml_tensor * match(const fusion & f, ggml_tensor * last, std::vector<ggml_tensor *> & to_drop) {
    std::vector<ggml_tensor *> slots; // in reverse order
    ggml_tensor * sum = last;
    while (true) {
        if (sum->op != GGML_OP_ADD || (sum != last && f.uses(sum) != 1)) return nullptr;
        slots.push_back(sum->src[1]);
        if (sum != last) to_drop.push_back(sum);
        sum = sum->src[0];
        if (sum->op == GGML_OP_VIEW) break;
    }
    slots.push_back(sum);
    ggml_tensor * product = sum->src[0];
    const int64_t n = int64_t(slots.size());
    if (product->op != GGML_OP_MUL || product->view_src || product->ne[1] != n || f.uses(product) != n) return nullptr;
    for (int64_t i = 0; i < n; i++) {
        ggml_tensor * slot = slots[size_t(n - 1 - i)];
        if (!is_slot(slot, product, i) || f.uses(slot) != 1) return nullptr;
        to_drop.push_back(slot);
    }
    const ggml_tensor * weights = product->src[1];
    if (!dense_f32(product->src[0]) || !dense_f32(weights) || weights->ne[0] != 1 || weights->ne[1] != n ||
        weights->ne[2] != product->ne[2] || !ggml_are_same_shape(product, product->src[0])) {
        return nullptr;
    }
    to_drop.push_back(product);
    return product;
}

void back(host_ops & ops, gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor *results = node->src[0], *weights = node->src[1];
    if (g.wants(weights)) {
        g.add(weights, ops.make(g.ctx(), "EXPERT_WEIGHTS_BACK", {1, weights->ne[1], weights->ne[2]}, {results, dy},
                                [](ggml_tensor * out, executor & exec) {
                                    expert_weights_back(out->src[0], out->src[1], out, exec);
                                }));
    }
    if (g.wants(results)) {
        g.add(results, ops.make(g.ctx(), "EXPERT_SUM_BACK", {results->ne[0], results->ne[1], results->ne[2]},
                                {weights, dy}, [](ggml_tensor * out, executor & exec) {
                                    expert_sum_back(out->src[0], out->src[1], out, exec);
                                }));
    }
}

}

void fuse_expert_sums(fusion & f) {
    host_ops & ops = f.ops();
    for (ggml_tensor * node : f.nodes()) {
        std::vector<ggml_tensor *> to_drop;
        ggml_tensor * product = match(f, node, to_drop);
        if (!product) continue;
        ops.replace(node, "EXPERT_SUM", {product->src[0], product->src[1]},
                    [](ggml_tensor * y, executor & exec) { expert_sum(y->src[0], y->src[1], y, exec); });
        f.g().set_rule(node, [&ops](gradients & g, ggml_tensor * n, ggml_tensor * dy) { back(ops, g, n, dy); });
        for (ggml_tensor * t : to_drop) f.drop(t);
    }
}

}
