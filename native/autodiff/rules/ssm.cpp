#include "autodiff/rules/ssm.h"

#include "autodiff/rules/moe.h"
#include "autodiff/scan/recurrence.h"
#include "autodiff/scan/scan-segment.h"
#include "core/error.h"

#include <algorithm>

namespace llamatune::rules {

namespace {

ggml_tensor * join(gradients & g, ggml_tensor * front, ggml_tensor * back, int dim) {
    return front ? ggml_concat(g.ctx(), front, back, dim) : back;
}

}

// y[i, t] = Σ_k x[t + k, i] w[k, i], for each channel i and sequence: a causal convolution whose x begins with
// d_conv - 1 tokens of the past. Towards x it is the convolution of dy, zeros around it, with the taps in reverse.
void ssm_conv(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = node->src[0]; // [d_conv - 1 + n_t, d_inner, n_seqs]
    ggml_tensor * w = node->src[1]; // [d_conv, d_inner]
    const int64_t d_conv = w->ne[0], d_inner = w->ne[1], n_t = node->ne[1], n_seqs = node->ne[2];
    ggml_tensor * dy_t = g.transposed(dy); // [n_t, d_inner, n_seqs]
    if (g.wants(x)) {
        ggml_tensor * around = dy_t;
        ggml_tensor * reversed = nullptr;
        ggml_tensor * taps = g.as_f32(w);
        if (d_conv > 1) {
            ggml_tensor edge{};
            edge.ne[0] = d_conv - 1, edge.ne[1] = d_inner, edge.ne[2] = n_seqs, edge.ne[3] = 1;
            ggml_tensor * zeros = g.zeros(&edge);
            around = ggml_concat(ctx, ggml_concat(ctx, zeros, dy_t, 0), zeros, 0);
        }
        for (int64_t k = d_conv - 1; k >= 0; k--) {
            reversed =
                join(g, reversed, ggml_cont(ctx, ggml_view_2d(ctx, taps, 1, d_inner, taps->nb[1], k * taps->nb[0])), 0);
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

namespace {

// Tokens first … first + n of a source whose dimension `dim` is time, contiguous.
ggml_tensor * tokens_of(gradients & g, ggml_tensor * t, int dim, int64_t first, int64_t n) {
    int64_t ne[GGML_MAX_DIMS] = {t->ne[0], t->ne[1], t->ne[2], t->ne[3]};
    ne[dim] = n;
    return g.contiguous(
        ggml_view_4d(g.ctx(), t, ne[0], ne[1], ne[2], ne[3], t->nb[1], t->nb[2], t->nb[3], first * t->nb[dim]));
}

ggml_tensor * sequence_numbers(gradients & g, int64_t n) {
    return ggml_cast(g.ctx(), ggml_arange(g.ctx(), 0.0f, float(n), 1.0f), GGML_TYPE_I32);
}

}

// See scan-segment.h for what it computes. The states of all tokens would be the largest tensor of all: the gradient is
// made segment by segment, from the last to the first, and the op itself finds the state that each segment starts from.
void ssm_scan(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor *s = node->src[0], *x = node->src[1], *dt = node->src[2], *a = node->src[3], *b = node->src[4],
                *c = node->src[5];
    ggml_tensor * ids = node->src[6];
    const bool by_head = a->ne[0] == 1;
    const int64_t d_state = s->ne[0], head_dim = x->ne[0], n_head = x->ne[1], n_t = x->ne[2], n_seqs = x->ne[3];
    if (node->op_params[0] != 1 || (!by_head && b->ne[1] != 1)) {
        throw error("UNSUPPORTED_OP",
                    "expected SSM_SCAN with one final state, and one group where states decay differently, but "
                    "received " +
                        std::to_string(node->op_params[0]) + " states and " + std::to_string(b->ne[1]) + " groups");
    }
    std::vector<int64_t> first{0};
    while (first.back() < n_t) first.push_back(first.back() + segment_length(g, node, n_t - first.back()));
    const size_t segments = first.size() - 1;

    const auto state_shape = [&](ggml_tensor * t) {
        return ggml_reshape_4d(ctx, t, d_state, head_dim, n_head, n_seqs);
    };
    const int64_t state_size = d_state * head_dim * n_head;
    ggml_tensor * table = ggml_reshape_2d(ctx, s, state_size, s->ne[3]);
    std::vector<ggml_tensor *> before{state_shape(ggml_get_rows(ctx, table, ids))};
    for (size_t i = 0; i + 1 < segments; i++) {
        const int64_t from = first[i], n = first[i + 1] - from;
        ggml_tensor * scan =
            ggml_ssm_scan(ctx, before[i], tokens_of(g, x, 2, from, n), tokens_of(g, dt, 1, from, n), a,
                          tokens_of(g, b, 2, from, n), tokens_of(g, c, 2, from, n), sequence_numbers(g, n_seqs), 1);
        const size_t offset = size_t(head_dim * n_head * n * n_seqs) * sizeof(float);
        before.push_back(
            ggml_cont(ctx, ggml_view_4d(ctx, scan, d_state, head_dim, n_head, n_seqs, d_state * sizeof(float),
                                        d_state * head_dim * sizeof(float), state_size * sizeof(float), offset)));
        g.run(before.back()); // the scan's memory is free again
    }

    const scan_wanted wanted{g.wants(a), g.wants(b), g.wants(c)};
    ggml_tensor * dy_tokens =
        ggml_view_4d(ctx, dy, head_dim, n_head, n_t, n_seqs, head_dim * sizeof(float),
                     head_dim * n_head * sizeof(float), head_dim * n_head * n_t * sizeof(float), 0);
    ggml_tensor * dstate = state_shape(
        ggml_cont(ctx, ggml_view_1d(ctx, dy, state_size * n_seqs, size_t(ggml_nelements(x)) * sizeof(float))));
    scan_gradients d{};
    for (size_t i = segments; i-- > 0;) {
        const int64_t from = first[i], n = first[i + 1] - from;
        const scan_segment segment{
            before[i],
            tokens_of(g, x, 2, from, n),
            tokens_of(g, dt, 1, from, n),
            g.contiguous(a),
            tokens_of(g, b, 2, from, n),
            tokens_of(g, c, 2, from, n),
            tokens_of(g, dy_tokens, 2, from, n),
            dstate,
        };
        const scan_gradients part =
            by_head ? differentiate_heads(g, segment, wanted) : differentiate_channels(g, segment, wanted);
        const auto in_front = [&](ggml_tensor * now, ggml_tensor * later, int dim, bool wants) {
            if (!wants) return later;
            now = g.contiguous(dim == 1 ? ggml_reshape_3d(ctx, g.contiguous(now), n_head, n, n_seqs) : now);
            ggml_tensor * joined = later ? ggml_concat(ctx, now, later, dim) : now;
            g.run(joined);
            return joined;
        };
        const auto as = [&](ggml_tensor * t, ggml_tensor * source) {
            return t ? ggml_reshape_4d(ctx, g.contiguous(t), source->ne[0], source->ne[1], n, n_seqs) : nullptr;
        };
        d.x = in_front(part.x, d.x, 2, g.wants(x));
        d.dt = in_front(part.dt, d.dt, 1, g.wants(dt));
        d.b = in_front(as(part.b, b), d.b, 2, wanted.b);
        d.c = in_front(as(part.c, c), d.c, 2, wanted.c);
        if (wanted.a) {
            d.a = d.a ? ggml_add(ctx, d.a, part.a) : part.a;
            g.run(d.a);
        }
        dstate = state_shape(g.contiguous(part.state));
    }
    ggml_tensor * const sources[] = {x, dt, a, b, c};
    ggml_tensor * const results[] = {d.x, d.dt, d.a, d.b, d.c};
    for (int i = 0; i < 5; i++) {
        if (results[i]) g.add(sources[i], results[i]);
    }
    if (g.wants(s)) {
        ggml_tensor * rows = ggml_reshape_2d(ctx, dstate, state_size, n_seqs);
        ggml_tensor * fused = ggml_get_rows_back(ctx, rows, ids, table);
        g.add(s, g.allows(fused) ? fused : scatter_rows(g, rows, ids, table->ne[1]));
    }
}

}

namespace llamatune {

int64_t segment_length(const gradients & g, const ggml_tensor * scan, int64_t left) {
    constexpr int64_t chunk = 64;
    const ggml_tensor *x = scan->src[1], *a = scan->src[3];
    const int64_t numbers = x->ne[0] * x->ne[1] * x->ne[3];
    if (a->ne[0] > 1) { return tokens_at_once(g.slice_bytes(), numbers * a->ne[0], left); }
    const int64_t fit = g.slice_bytes() / 4 / (numbers * int64_t(sizeof(float))); // numbers: one for each channel
    return std::min(left, std::max(chunk, fit / chunk * chunk));                  // whole chunks
}

}
