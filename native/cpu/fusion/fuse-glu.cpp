#include "cpu/fusion/passes.h"

#include "cpu/kernels/glu.h"
#include "cpu/kernels/rows.h"

namespace llamatune {

namespace {

bool kind_of(const ggml_tensor * node, glu_kind & kind) {
    switch (ggml_get_glu_op(node)) {
    case GGML_GLU_OP_SWIGLU: kind = glu_kind::swiglu; return true;
    case GGML_GLU_OP_GEGLU: kind = glu_kind::geglu; return true;
    case GGML_GLU_OP_REGLU: kind = glu_kind::reglu; return true;
    default: return false;
    }
}

const char * backward_name(glu_kind kind) {
    return kind == glu_kind::swiglu ? "SWIGLU_BACK" : kind == glu_kind::geglu ? "GEGLU_BACK" : "REGLU_BACK";
}

void back(host_ops & ops, glu_kind kind, bool swapped, gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * x = node->src[0];
    ggml_tensor * gate = node->src[1];
    const auto kernel = [=](ggml_tensor * out, executor & exec) { glu_back(kind, swapped, out, exec); };
    if (!gate) {
        g.add(x, ops.make(g.ctx(), backward_name(kind), {x->ne[0], x->ne[1], x->ne[2], x->ne[3]}, {dy, x}, kernel));
        return;
    }
    const int64_t n = node->ne[0], n_rows = ggml_nrows(node);
    ggml_tensor * both = ops.make(g.ctx(), backward_name(kind), {n, n_rows, 2}, {dy, x, gate}, kernel);
    g.add(x, ggml_view_2d(g.ctx(), both, n, n_rows, both->nb[1], 0));
    g.add(gate, ggml_view_2d(g.ctx(), both, n, n_rows, both->nb[1], both->nb[2]));
}

}

void fuse_glu(fusion & f) {
    host_ops & ops = f.ops();
    for (ggml_tensor * node : f.nodes()) {
        glu_kind kind;
        if (node->op != GGML_OP_GLU || !kind_of(node, kind)) continue;
        ggml_tensor * x = node->src[0];
        ggml_tensor * gate = node->src[1];
        if (!has_dense_f32_rows(x) || (gate && !has_dense_f32_rows(gate))) continue;
        const bool swapped = node->op_params[1] != 0;
        f.g().set_rule(node, [&ops, kind, swapped](gradients & g, ggml_tensor * n, ggml_tensor * dy) {
            back(ops, kind, swapped, g, n, dy);
        });
        if (kind == glu_kind::geglu) continue;
        ops.replace(node, kind == glu_kind::swiglu ? "SWIGLU" : "REGLU", {x, gate},
                    [=](ggml_tensor * out, executor & exec) { glu(kind, swapped, out, exec); });
    }
}

}
