#include "autodiff/rules-ssm.h"

namespace llamatune::rules {

namespace {

ggml_tensor * join(gradients & g, ggml_tensor * front, ggml_tensor * back, int dim) {
    return front ? ggml_concat(g.ctx(), front, back, dim) : back;
}

}

// y[i, t] = Σ_k x[t + k, i] w[k, i], for each channel i and sequence: a causal convolution whose x begins with
// d_conv - 1 tokens of the past. Towards x it is the convolution of dy, zeros around it, with the taps in reverse.
void ssm_conv(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_context * ctx = g.ctx();
    ggml_tensor * x = node->src[0]; // [d_conv - 1 + n_t, d_inner, n_seqs]
    ggml_tensor * w = node->src[1]; // [d_conv, d_inner]
    const int64_t d_conv = w->ne[0], d_inner = w->ne[1], n_t = node->ne[1], n_seqs = node->ne[2];
    ggml_tensor * dy_t = g.transposed(dy); // [n_t, d_inner, n_seqs]
    if (g.wants(x)) {
        ggml_tensor * around = dy_t;
        ggml_tensor * reversed = nullptr;
        ggml_tensor * taps = g.as_f32(w);
        if (d_conv > 1) {
            ggml_tensor edge {};
            edge.ne[0] = d_conv - 1, edge.ne[1] = d_inner, edge.ne[2] = n_seqs, edge.ne[3] = 1;
            ggml_tensor * zeros = g.zeros(&edge);
            around = ggml_concat(ctx, ggml_concat(ctx, zeros, dy_t, 0), zeros, 0);
        }
        for (int64_t k = d_conv - 1; k >= 0; k--) {
            reversed = join(g, reversed, ggml_cont(ctx, ggml_view_2d(ctx, taps, 1, d_inner, taps->nb[1], k * taps->nb[0])), 0);
        }
        g.add(x, ggml_transpose(ctx, ggml_ssm_conv(ctx, around, reversed)));
    }
    if (g.wants(w)) {
        ggml_tensor * dw = nullptr;
        for (int64_t k = 0; k < d_conv; k++) {
            ggml_tensor * seen = ggml_view_3d(ctx, x, n_t, d_inner, n_seqs, x->nb[1], x->nb[2], k * x->nb[0]);
            ggml_tensor * sums = ggml_sum_rows(ctx, ggml_mul(ctx, dy_t, seen)); // [1, d_inner, n_seqs]
            ggml_tensor one_sequence = *sums;
            one_sequence.ne[2] = 1;
            dw = join(g, dw, g.sum_to(sums, &one_sequence), 0);
        }
        g.add(w, dw);
    }
}

}
