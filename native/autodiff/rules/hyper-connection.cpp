#include "autodiff/rules/families.h"

namespace llamatune::rules {

namespace {

// Mixes a token's streams into one:  y[i, t] = c Σ_h x[i, h, t] w[h, t]; if gated, w[i, h, t] = sigmoid(gate).
void hyper_connection_pre(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = node->src[0];       // [n_embd, n_stream, n_tokens]
    ggml_tensor * weights = node->src[1]; // [n_stream, n_tokens], or [n_embd, n_stream, n_tokens]
    const float scale = parameter(node, 0);
    const bool gated = node->op_params[1] != 0;

    ggml_tensor * scaled = scale == 1.0f ? dy : ggml_scale(ctx, dy, scale);
    ggml_tensor * each =
        ggml_repeat(ctx, ggml_reshape_3d(ctx, scaled, dy->ne[0], 1, dy->ne[1]), x); // dy of every stream
    ggml_tensor * w = gated ? ggml_sigmoid(ctx, g.contiguous(weights))
                            : ggml_reshape_3d(ctx, g.contiguous(weights), 1, x->ne[1], x->ne[2]);
    if (g.wants(x)) { g.add(x, ggml_mul(ctx, each, w)); }
    if (!g.wants(weights)) { return; }
    ggml_tensor * dw = ggml_mul(ctx, each, g.contiguous(x));
    if (gated) {
        g.add(weights, ggml_mul(ctx, dw, ggml_mul(ctx, w, g.one_minus(w))));
    } else {
        g.add(weights, ggml_sum_rows(ctx, dw));
    }
}

}

rule_rows hyper_connection_rules() {
    return {
        // y = c Σ_h x_h w_h: dx_h = c w_h dy, dw_h = c x_h · dy
        {GGML_OP_DSV4_HC_PRE, hyper_connection_pre},
    };
}

}
