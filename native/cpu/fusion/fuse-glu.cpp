#include "cpu/fusion/passes.h"

#include "cpu/kernels/glu.h"
#include "cpu/kernels/rows.h"

namespace llamatune {

namespace {

struct gated_activation {
    ggml_glu_op op;
    glu_kind kind;
    const char *name, *backward_name;
};

constexpr gated_activation activations[] = {{GGML_GLU_OP_SWIGLU, glu_kind::swiglu, "SWIGLU", "SWIGLU_BACK"},
                                            {GGML_GLU_OP_GEGLU, glu_kind::geglu, "GEGLU", "GEGLU_BACK"},
                                            {GGML_GLU_OP_REGLU, glu_kind::reglu, "REGLU", "REGLU_BACK"}};

const gated_activation * activation_of(const ggml_tensor * node) {
    if (node->op != GGML_OP_GLU) return nullptr;
    for (const gated_activation & a : activations) {
        if (a.op == ggml_get_glu_op(node)) return &a;
    }
    return nullptr;
}

void back(host_ops & ops, const gated_activation & a, bool swapped, gradients & g, ggml_tensor * node,
          ggml_tensor * dy) {
    ggml_tensor * x = node->src[0];
    ggml_tensor * gate = node->src[1];
    const auto kernel = [kind = a.kind, swapped](ggml_tensor * out, executor & exec) {
        glu_back(kind, swapped, out, exec);
    };
    if (!gate) {
        g.add(x, ops.make(g.ctx(), a.backward_name, {x->ne[0], x->ne[1], x->ne[2], x->ne[3]}, {dy, x}, kernel));
        return;
    }
    const int64_t n = node->ne[0], n_rows = ggml_nrows(node);
    ggml_tensor * both = ops.make(g.ctx(), a.backward_name, {n, n_rows, 2}, {dy, x, gate}, kernel);
    g.add(x, ggml_view_2d(g.ctx(), both, n, n_rows, both->nb[1], 0));
    g.add(gate, ggml_view_2d(g.ctx(), both, n, n_rows, both->nb[1], both->nb[2]));
}

}

void fuse_glu(fusion & f) {
    host_ops & ops = f.ops();
    for (ggml_tensor * node : f.nodes()) {
        const gated_activation * a = activation_of(node);
        if (!a) continue;
        ggml_tensor * x = node->src[0];
        ggml_tensor * gate = node->src[1];
        if (!has_dense_f32_rows(x) || (gate && !has_dense_f32_rows(gate))) continue;
        const bool swapped = node->op_params[1] != 0;
        f.g().set_rule(node, [&ops, a, swapped](gradients & g, ggml_tensor * n, ggml_tensor * dy) {
            back(ops, *a, swapped, g, n, dy);
        });
        ops.replace(node, a->name, {x, gate},
                    [kind = a->kind, swapped](ggml_tensor * out, executor & exec) { glu(kind, swapped, out, exec); });
    }
}

}
