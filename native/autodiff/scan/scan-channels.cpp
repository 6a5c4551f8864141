#include "autodiff/scan/recurrence.h"
#include "autodiff/scan/scan-segment.h"

namespace llamatune {

// λ_t, the gradient of state_t, is  λ_t = C_t dy_t + exp(δ_{t+1} A) λ_{t+1}, and each token's gradients are products of
// λ, the states and the inputs (Gu & Dao, 2312.00752, section 3.3.2: the states are recomputed, never kept).
scan_gradients differentiate_channels(gradients & g, const scan_segment & s, const scan_wanted & wanted) {
    tensor_arena & ctx = g.ctx();
    const int64_t d_state = s.state->ne[0], head_dim = s.x->ne[0], n_head = s.x->ne[1], n_t = s.x->ne[2],
                  n_seqs = s.x->ne[3];
    const int64_t channels = head_dim * n_head, m = channels * d_state;
    recurrence over(ctx);

    // of_channels repeats a head's numbers for each of its channels, [n_head, …] -> [channels, …]; of_heads sums over
    // them
    const auto of_channels = [&](ggml_tensor * t) {
        const int64_t rest = ggml_nelements(t) / n_head;
        ggml_tensor * heads = ggml_reshape_3d(ctx, t, 1, n_head, rest);
        return ggml_reshape_2d(ctx, head_dim == 1 ? heads : ggml_repeat_4d(ctx, heads, head_dim, n_head, rest, 1),
                               channels, rest);
    };
    const auto of_heads = [&](ggml_tensor * t) {
        return head_dim == 1
                   ? t
                   : ggml_sum_rows(ctx, ggml_reshape_3d(ctx, t, head_dim, n_head, ggml_nelements(t) / channels));
    };
    const auto by_channel = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx, t, channels, 1, n_t, n_seqs); };
    const auto by_state = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx, t, 1, d_state, n_t, n_seqs); };
    const auto states = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx, t, channels, d_state, n_t, n_seqs); };
    const auto times = [&](ggml_tensor * t) { return ggml_reshape_3d(ctx, t, m, n_t, n_seqs); };
    const auto one_time = [&](ggml_tensor * state) { // [d_state, head_dim, n_head, n_seqs] -> [m, 1, n_seqs]
        return ggml_reshape_3d(ctx, g.transposed(ggml_reshape_3d(ctx, state, d_state, channels, n_seqs)), m, 1, n_seqs);
    };
    // [channels, 1, …] times [1, d_state, …]
    const auto outer = [&](ggml_tensor * of_channel, ggml_tensor * of_state) {
        return ggml_mul(ctx, ggml_repeat_4d(ctx, of_channel, channels, d_state, n_t, n_seqs), of_state);
    };

    ggml_tensor * delta = by_channel(of_channels(ggml_softplus(ctx, s.dt)));
    ggml_tensor * x = by_channel(s.x);
    ggml_tensor * dy = by_channel(s.dy);
    ggml_tensor * input = ggml_mul(ctx, x, delta);
    ggml_tensor * rate = ggml_reshape_2d(ctx, of_channels(g.transposed(s.a)), channels, d_state);
    ggml_tensor * decay =
        times(ggml_exp(ctx, ggml_mul(ctx, ggml_repeat_4d(ctx, rate, channels, d_state, n_t, n_seqs), delta)));
    ggml_tensor * before = one_time(s.state);
    ggml_tensor * state = over.forward(decay, times(outer(input, by_state(s.b))), before); // [m, n_t, n_seqs]

    scan_gradients d{};
    if (wanted.c) {
        d.c = ggml_mul_mat(ctx, states(state), dy); // [channels, d_state] x [channels, 1] -> [d_state, 1, n_t, n_seqs]
        g.run(d.c);
    }
    ggml_tensor * next = over.earlier(decay, g.filled(1.0f, m, 1, n_seqs));
    ggml_tensor * lambda = over.backward(next, times(outer(dy, by_state(s.c))), one_time(s.dstate));
    if (wanted.b) {
        d.b = ggml_mul_mat(ctx, states(lambda), input);
        g.run(d.b);
    }
    ggml_tensor * dinput = sum_second(ctx, ggml_mul(ctx, states(lambda), by_state(s.b))); // [channels, 1, n_t, n_seqs]
    d.x = ggml_reshape_4d(ctx, ggml_mul(ctx, dinput, delta), head_dim, n_head, n_t, n_seqs);
    g.run(d.x);

    ggml_tensor * passed = ggml_mul(ctx, lambda, decay); // the gradient of state_{t-1}
    ggml_tensor * first = ggml_cont(ctx, over.tokens(passed, 0, 1));
    d.state = ggml_reshape_4d(ctx, g.transposed(ggml_reshape_3d(ctx, first, channels, d_state, n_seqs)), d_state,
                              head_dim, n_head, n_seqs);
    g.run(d.state);
    ggml_tensor * dlog = states(ggml_mul(ctx, passed, over.later(state, before))); // of δA, decay's logarithm
    ggml_tensor * ddelta = ggml_add(ctx, ggml_mul(ctx, dinput, x), sum_second(ctx, ggml_mul(ctx, dlog, rate)));
    ddelta = ggml_reshape_3d(ctx, of_heads(ddelta), n_head, n_t, n_seqs);
    d.dt = ggml_mul(ctx, ddelta, ggml_sigmoid(ctx, s.dt));
    g.run(d.dt);
    if (wanted.a) {
        ggml_tensor * all = ggml_reshape_3d(ctx, ggml_mul(ctx, dlog, delta), m, n_t * n_seqs, 1);
        ggml_tensor * da = of_heads(sum_second(ctx, all)); // [channels, d_state] -> [n_head, d_state]
        d.a = g.transposed(ggml_reshape_2d(ctx, da, n_head, d_state));
        g.run(d.a);
    }
    return d;
}

}
