#include "cpu/fusion/passes.h"

#include "cpu/kernels/convolution.h"
#include "cpu/kernels/rows.h"

namespace llamatune {

namespace {

// The only node that reads t, or null.
ggml_tensor * only_user(const fusion & f, const ggml_tensor * t) {
    if (f.uses(t) != 1) return nullptr;
    for (ggml_tensor * node : f.nodes()) {
        for (const ggml_tensor * source : node->src) {
            if (source == t) return node;
        }
    }
    return nullptr; // the graph's result
}

}

void fuse_convolutions(fusion & f) {
    host_ops & ops = f.ops();
    for (ggml_tensor * conv : f.nodes()) {
        if (conv->op != GGML_OP_SSM_CONV) continue;
        ggml_tensor *in = conv->src[0], *w = conv->src[1];
        if (!f.only_for_one(in, GGML_OP_CONCAT) || in->op_params[0] != 0) continue;
        ggml_tensor *past = in->src[0], *columns = in->src[1];
        if (!f.only_for_one(columns, GGML_OP_TRANSPOSE)) continue;
        ggml_tensor * x = columns->src[0]; // [d_inner, n_t, n_seqs]
        if (past->ne[0] != w->ne[0] - 1 || !has_dense_f32_rows(x) || !has_dense_f32_rows(past) ||
            !has_dense_f32_rows(w))
            continue;
        const ggml_tensor * owner = w->view_src ? w->view_src : w;     // Kimi's graphs reshape the weight
        if (owner->op != GGML_OP_NONE || f.g().wants(owner)) continue; // its gradient is computed by the composed rule
        ggml_tensor *last = conv, *bias = nullptr;
        if (ggml_tensor * add = only_user(f, conv); add && add->op == GGML_OP_ADD && add->src[0] == conv &&
                                                    ggml_is_vector(add->src[1]) && add->src[1]->ne[0] == conv->ne[0] &&
                                                    add->src[1]->op == GGML_OP_NONE &&
                                                    has_dense_f32_rows(add->src[1]) && !f.g().wants(add->src[1])) {
            bias = add->src[1];
            last = add;
        }
        bool silu = false;
        if (ggml_tensor * act = only_user(f, last);
            act && act->op == GGML_OP_UNARY && ggml_get_unary_op(act) == GGML_UNARY_OP_SILU) {
            silu = true;
            last = act;
        }
        for (ggml_tensor * node : {columns, in, conv}) {
            if (node != last) f.drop(node);
        }
        if (bias && silu) f.drop(last->src[0]);
        f.g().set_rule(last, [&ops, silu](gradients & g, ggml_tensor * node, ggml_tensor * dy) {
            ggml_tensor * from = node->src[0];
            std::vector<ggml_tensor *> sources{dy, from, node->src[1], node->src[2]};
            if (node->src[3]) sources.push_back(node->src[3]);
            g.add(from, ops.make(g.ctx(), "CONVOLUTION_BACK", {from->ne[0], from->ne[1], from->ne[2]}, sources,
                                 [=](ggml_tensor * out, executor & exec) { convolve_back(silu, out, exec); }));
        });
        std::vector<ggml_tensor *> sources{x, past, w};
        if (bias) sources.push_back(bias);
        ops.replace(last, "CONVOLUTION", sources,
                    [=](ggml_tensor * out, executor & exec) { convolve(silu, out, exec); });
    }
}

}
