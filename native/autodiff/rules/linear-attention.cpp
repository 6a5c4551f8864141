#include "autodiff/rules/families.h"

#include "autodiff/scan/recurrence.h"
#include "autodiff/scan/token-segments.h"

namespace llamatune::rules {

namespace {

// The sources of both ops, [size, n_head, n_t, n_seqs] each. The state is [value size, key size, n_head, n_seqs]:
//   state_t = w_t state_{t-1} + k_t v_tᵀ
//   y_t = scale · q_t state_t (GATED_LINEAR_ATTN),  y_t = q_t (state_{t-1} + first k_t v_tᵀ) (RWKV_WKV6)
struct tokens {
    ggml_tensor *k, *v, *q, *w, *first; // first: [size, n_head]; null for GATED_LINEAR_ATTN
    float scale;

    int64_t size() const { return k->ne[0]; }
    int64_t n_head() const { return k->ne[1]; }
};

// Differentiates a segment of consecutive tokens, contiguous tensors whose number of tokens is a power of two. States
// are [size, size, n_head, n_seqs].
segment_gradients differentiate(gradients & g, const tokens & s, ggml_tensor * before, ggml_tensor * dy,
                                ggml_tensor * dafter) {
    tensor_arena & ctx = g.ctx();
    const int64_t size = s.size(), n_head = s.n_head(), n_t = s.k->ne[2], n_seqs = s.k->ne[3], n = n_t * n_seqs;
    const int64_t m = size * size * n_head;
    recurrence over(ctx);
    const auto value = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx, t, size, 1, n_head, n); };
    const auto key = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx, t, 1, size, n_head, n); };
    const auto states = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx, t, size, size, n_head, n); };
    const auto times = [&](ggml_tensor * t) { return ggml_reshape_3d(ctx, t, m, n_t, n_seqs); };
    const auto one_time = [&](ggml_tensor * t) { return ggml_reshape_3d(ctx, t, m, 1, n_seqs); };
    const auto outer = [&](ggml_tensor * of_value, ggml_tensor * of_key) {
        return times(ggml_mul(ctx, ggml_repeat_4d(ctx, value(of_value), size, size, n_head, n), key(of_key)));
    };
    const auto done = [&](ggml_tensor * t) {
        g.run(t);
        return t;
    };

    dy = ggml_scale(ctx, dy, s.scale);
    ggml_tensor * decay = times(ggml_repeat_4d(ctx, key(s.w), size, size, n_head, n));
    ggml_tensor * state = over.forward(decay, outer(s.v, s.k), one_time(before));
    ggml_tensor * previous = over.later(state, one_time(before));
    ggml_tensor * read = outer(dy, s.q);
    ggml_tensor * lambda; // the gradient of state_t
    ggml_tensor *dk, *dv, *dq, *dw, *dstate, *dfirst = nullptr;
    if (s.first) {
        ggml_tensor * of_previous = over.backward(decay, read, one_time(dafter));
        lambda = over.earlier(of_previous, one_time(dafter));
        dstate = done(ggml_cont(ctx, over.tokens(of_previous, 0, 1)));
        dq = ggml_mul_mat(ctx, states(previous), value(dy)); // [values, keys] x [values, 1] -> [keys, 1]
    } else {
        ggml_tensor * next = over.earlier(decay, g.filled(1.0f, m, 1, n_seqs));
        lambda = over.backward(next, read, one_time(dafter));
        dstate = done(ggml_mul(ctx, over.tokens(lambda, 0, 1), over.tokens(decay, 0, 1)));
        dq = ggml_mul_mat(ctx, states(state), value(dy));
    }
    dw = done(ggml_sum_rows(ctx, ggml_mul(ctx, states(lambda), states(previous))));
    dk = ggml_mul_mat(ctx, states(lambda), value(s.v));
    dv = sum_second(ctx, ggml_mul(ctx, states(lambda), key(s.k)));
    if (s.first) { // the token's own term: first · (q k) summed over keys, times v
        ggml_tensor * along = ggml_reshape_4d(ctx, ggml_sum_rows(ctx, ggml_mul(ctx, s.v, dy)), 1, 1, n_head, n);
        ggml_tensor * qk = ggml_mul(ctx, key(s.q), key(s.k));
        ggml_tensor * first = ggml_reshape_4d(ctx, s.first, 1, size, n_head, 1);
        ggml_tensor * weight = ggml_reshape_4d(ctx, ggml_mul(ctx, qk, first), size, 1, n_head, n);
        const auto keys = [&](ggml_tensor * t) { return ggml_mul(ctx, ggml_mul(ctx, key(t), first), along); };
        dq = ggml_add(ctx, key(dq), keys(s.k));
        dk = ggml_add(ctx, key(dk), keys(s.q));
        dv = ggml_add(ctx, dv, ggml_mul(ctx, value(dy), ggml_sum_rows(ctx, weight)));
        dfirst = done(g.sum_to(ggml_mul(ctx, qk, along), first));
    }
    for (ggml_tensor * t : {dq, dk, dv}) g.run(t);
    return {{dk, dv, dq, dw}, dstate, dfirst};
}

void linear_attention(gradients & g, ggml_tensor * node, ggml_tensor * dy, const tokens & s, int state) {
    segmented_op op;
    op.sources = {s.k, s.v, s.q, s.w};
    op.shared = s.first;
    op.state = node->src[state];
    op.length = [&](int64_t left) {
        return tokens_at_once(g.slice_bytes(), s.size() * s.size() * s.n_head() * op.state->ne[1], left);
    };
    const auto with = [s](const std::vector<ggml_tensor *> & t) {
        return tokens{t[0], t[1], t[2], t[3], s.first, s.scale};
    };
    op.make = [&](const std::vector<ggml_tensor *> & t, ggml_tensor * before) {
        // only its states are read: they are the same for both ops, and Metal lacks GATED_LINEAR_ATTN
        ggml_tensor * first = s.first ? s.first : ggml_view_2d(g.ctx(), t[0], s.size(), s.n_head(), t[0]->nb[1], 0);
        const auto source = [&](size_t i) { return in_one_sequence(g, t[i]); };
        return ggml_rwkv_wkv6(g.ctx(), source(0), source(1), source(2), first, source(3), before);
    };
    op.differentiate = [&](const std::vector<ggml_tensor *> & t, ggml_tensor * before, ggml_tensor * d,
                           ggml_tensor * dafter) { return differentiate(g, with(t), before, d, dafter); };
    by_segments(g, op, dy);
}

void gated_linear_attn(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    linear_attention(g, node, dy, {node->src[0], node->src[1], node->src[2], node->src[3], nullptr, parameter(node, 0)},
                     4);
}

void rwkv_wkv6(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    linear_attention(g, node, dy, {node->src[0], node->src[1], node->src[2], node->src[4], node->src[3], 1.0f}, 5);
}

}

rule_rows linear_attention_rules() {
    return {
        // state_t = w_t state_{t-1} + k_t v_tᵀ, y_t = q_t state_t; see tokens above
        {GGML_OP_GATED_LINEAR_ATTN, gated_linear_attn},
        {GGML_OP_RWKV_WKV6, rwkv_wkv6},
    };
}

}
