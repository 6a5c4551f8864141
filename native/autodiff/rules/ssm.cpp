#include "autodiff/rules/families.h"
#include "autodiff/rules/scatter-rows.h"
#include "autodiff/scan/recurrence.h"
#include "autodiff/scan/scan-segment.h"
#include "autodiff/scan/token-segments.h"
#include "core/error.h"

#include <algorithm>

namespace llamatune::rules {

namespace {

ggml_tensor * join(gradients & g, ggml_tensor * front, ggml_tensor * back, int dim) {
    return front ? ggml_concat(g.ctx(), front, back, dim) : back;
}

// y[i, t] = Σ_k x[t + k, i] w[k, i] for each channel i and sequence: a causal convolution whose x begins with d_conv -
// 1 past tokens. The gradient of x is the convolution of the zero-padded dy with the reversed taps.
void ssm_conv(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = node->src[0]; // [d_conv - 1 + n_t, d_inner, n_seqs]
    ggml_tensor * w = node->src[1]; // [d_conv, d_inner]
    const int64_t d_conv = w->ne[0], d_inner = w->ne[1], n_t = node->ne[1], n_seqs = node->ne[2];
    ggml_tensor * dy_t = g.transposed(dy); // [n_t, d_inner, n_seqs]
    if (g.wants(x)) {
        ggml_tensor * padded = dy_t;
        ggml_tensor * reversed = nullptr;
        ggml_tensor * taps = g.as_f32(w);
        if (d_conv > 1) {
            ggml_tensor * zeros = g.filled(0.0f, d_conv - 1, d_inner, n_seqs);
            padded = ggml_concat(ctx, ggml_concat(ctx, zeros, dy_t, 0), zeros, 0);
        }
        for (int64_t k = d_conv - 1; k >= 0; k--) {
            reversed =
                join(g, reversed, ggml_cont(ctx, ggml_view_2d(ctx, taps, 1, d_inner, taps->nb[1], k * taps->nb[0])), 0);
        }
        g.add(x, ggml_transpose(ctx, ggml_ssm_conv(ctx, padded, reversed)));
    }
    if (g.wants(w)) {
        ggml_tensor * dw = nullptr;
        for (int64_t k = 0; k < d_conv; k++) {
            ggml_tensor * window = ggml_view_3d(ctx, x, n_t, d_inner, n_seqs, x->nb[1], x->nb[2], k * x->nb[0]);
            ggml_tensor * sums = ggml_sum_rows(ctx, ggml_mul(ctx, dy_t, window)); // [1, d_inner, n_seqs]
            ggml_tensor one_sequence = *sums;
            one_sequence.ne[2] = 1;
            dw = join(g, dw, g.sum_to(sums, &one_sequence), 0);
        }
        g.add(w, dw);
    }
}

ggml_tensor * sequence_numbers(gradients & g, int64_t n) {
    return ggml_cast(g.ctx(), ggml_arange(g.ctx(), 0.0f, float(n), 1.0f), GGML_TYPE_I32);
}

// How many of the next `left` tokens form a segment, so that a tensor over all of the segment's states (or, with one
// decay per head, over its channels) has a bounded size.
int64_t segment_length(const gradients & g, const ggml_tensor * scan, int64_t left) {
    constexpr int64_t chunk = 64;
    const ggml_tensor *x = scan->src[1], *a = scan->src[3];
    const int64_t channels = x->ne[0] * x->ne[1] * x->ne[3];
    if (a->ne[0] > 1) { return tokens_at_once(g.slice_bytes(), channels * a->ne[0], left); }
    const int64_t fit = g.slice_bytes() / 4 / (channels * int64_t(sizeof(float)));
    return std::min(left, std::max(chunk, fit / chunk * chunk)); // whole chunks
}

// scan-segment.h has the formula.
void ssm_scan(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor *s = node->src[0], *x = node->src[1], *dt = node->src[2], *a = node->src[3], *b = node->src[4],
                *c = node->src[5], *ids = node->src[6];
    const bool by_head = a->ne[0] == 1;
    const int64_t d_state = s->ne[0], head_dim = x->ne[0], n_head = x->ne[1], n_t = x->ne[2], n_seqs = x->ne[3];
    if (node->op_params[0] != 1 || (!by_head && b->ne[1] != 1)) {
        throw error("UNSUPPORTED_OP", "cannot differentiate SSM_SCAN with " + std::to_string(node->op_params[0]) +
                                          " final states and " + std::to_string(b->ne[1]) +
                                          " groups: it must have one final state, and one group unless each head "
                                          "has a single decay");
    }
    ggml_tensor * table = ggml_reshape_2d(ctx, s, d_state * head_dim * n_head, s->ne[3]);
    segmented_op op;
    op.sources = {x, ggml_reshape_4d(ctx, g.contiguous(dt), 1, n_head, n_t, n_seqs), b, c};
    op.like = 0;
    op.shared = a;
    op.state = ggml_get_rows(ctx, table, ids);
    op.length = [&](int64_t left) { return segment_length(g, node, left); };
    const auto state_shape = [&](ggml_tensor * t) {
        return ggml_reshape_4d(ctx, t, d_state, head_dim, n_head, n_seqs);
    };
    const auto dt_shape = [&](ggml_tensor * t) { return ggml_reshape_3d(ctx, t, n_head, t->ne[2], n_seqs); };
    op.make = [&](const segmented_op::parts & p, ggml_tensor * before) {
        return ggml_ssm_scan(ctx, state_shape(before), p[0], dt_shape(p[1]), a, p[2], p[3], sequence_numbers(g, n_seqs),
                             1);
    };
    const scan_wanted wanted{g.wants(a), g.wants(b), g.wants(c)};
    op.differentiate = [&](const segmented_op::parts & p, ggml_tensor * before, ggml_tensor * d, ggml_tensor * dafter) {
        const scan_segment segment{state_shape(before), p[0], dt_shape(p[1]), g.contiguous(a), p[2], p[3], d,
                                   state_shape(dafter)};
        const scan_gradients part =
            by_head ? differentiate_heads(g, segment, wanted) : differentiate_channels(g, segment, wanted);
        return segment_gradients{{part.x, part.dt, part.b, part.c}, part.state, part.a};
    };
    if (g.wants(dt)) g.want(op.sources[1]);
    if (g.wants(s)) g.want(op.state);
    by_segments(g, op, dy);
    if (ggml_tensor * d = g.take(op.sources[1])) g.add(dt, d);
    if (ggml_tensor * rows = g.take(op.state)) {
        ggml_tensor * fused = ggml_get_rows_back(ctx, rows, ids, table);
        g.add(s, g.allows(fused) ? fused : scatter_rows(g, rows, ids, table->ne[1]));
    }
}

}

rule_rows ssm_rules() {
    return {
        // y_t = Σ_k x_{t+k} w_k: dx_t = Σ_k dy_{t-k} w_k, dw_k = Σ_t dy_t x_{t+k}
        {GGML_OP_SSM_CONV, ssm_conv},
        // see scan/scan-segment.h
        {GGML_OP_SSM_SCAN, ssm_scan},
    };
}

}
