#include "autodiff/scan/composed.h"
#include "autodiff/scan/scan-segment.h"

#include <algorithm>

namespace llamatune {

namespace {

constexpr int64_t chunk_tokens = 64;

// Computes the scan by products (state-space duality, Dao & Gu, 2405.21060, section 6). Tokens are split into chunks.
// Within a chunk the scan is attention whose weights are C_t·B_j times the decay between j and t; between chunks the
// state is passed on. Batches are (heads of a group, groups · chunks · n_seqs), so that a group's B and C are
// multiplied with all of its heads. Every exponent is a sum of logarithms of decays, none of them positive.
class chunked_scan {
public:
    chunked_scan(gradients & g, const scan_segment & s)
        : ctx(g.ctx()), s(s), d_state(s.b->ne[0]), head_dim(s.x->ne[0]), n_group(s.b->ne[1]),
          heads(s.x->ne[1] / n_group), n_t(s.x->ne[2]), n_seqs(s.x->ne[3]), n_c(std::min(chunk_tokens, n_t)),
          chunks((n_t + n_c - 1) / n_c) {}

    void build() {
        ggml_tensor * delta = ggml_softplus(ctx, s.dt); // [n_head, n_t, n_seqs]
        const auto per_head = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx, t, 1, t->ne[0], n_t, n_seqs); };
        ggml_tensor * rate = ggml_reshape_1d(ctx, s.a, heads * n_group);
        ggml_tensor * log_decay = time_first(per_head(ggml_mul(ctx, delta, rate))); // [n_c, 1, heads, b]
        ggml_tensor * input = time_first(ggml_mul(ctx, s.x, per_head(delta)));      // [n_c, head_dim, heads, b]
        ggml_tensor * b = rows(s.b);                                                // [d_state, n_c, 1, b]
        ggml_tensor * c = rows(s.c);
        ggml_tensor * until = ggml_cumsum(ctx, log_decay); // from the chunk's start
        const int64_t batches = until->ne[3];

        ggml_tensor * until_t = ggml_reshape_4d(ctx, until, 1, n_c, heads, batches);
        ggml_tensor * between = ggml_sub(ctx, ggml_repeat_4d(ctx, until_t, n_c, n_c, heads, batches), until);
        ggml_tensor * decay = ggml_exp(ctx, ggml_tri(ctx, between, GGML_TRI_TYPE_LOWER_DIAG));   // [j, t, heads, b]
        ggml_tensor * scores = ggml_tri(ctx, ggml_mul_mat(ctx, b, c), GGML_TRI_TYPE_LOWER_DIAG); // [j, t, 1, b]
        ggml_tensor * within = ggml_mul_mat(ctx, ggml_mul(ctx, decay, scores), input); // [t, head_dim, heads, b]

        ggml_tensor * last = ggml_cont(ctx, ggml_view_4d(ctx, until, 1, 1, heads, batches, until->nb[1], until->nb[2],
                                                         until->nb[3], (n_c - 1) * until->nb[0]));
        ggml_tensor * to_end = ggml_exp(ctx, ggml_neg(ctx, ggml_sub(ctx, until, last)));
        ggml_tensor * b_t = ggml_cont(ctx, ggml_transpose(ctx, b));                 // [n_c, d_state, 1, b]
        ggml_tensor * added = ggml_mul_mat(ctx, b_t, ggml_mul(ctx, input, to_end)); // [d_state, head_dim, heads, b]

        ggml_tensor * before = states(added, ggml_exp(ctx, last));
        ggml_tensor * from_before =
            ggml_mul(ctx, ggml_mul_mat(ctx, c, before), ggml_exp(ctx, until)); // [t, head_dim, heads, b]
        y = tokens(ggml_add(ctx, within, from_before));
    }

    ggml_tensor * y;     // [head_dim, n_head, n_t, n_seqs]
    ggml_tensor * state; // after the last token

private:
    // [k, heads · n_group, n_t, n_seqs] -> [k · heads, n_group, n_c, chunks · n_seqs], the last chunk padded with
    // zeros, that is, with tokens that neither decay the state nor add to it
    ggml_tensor * in_chunks(ggml_tensor * t) {
        const int64_t inner = t->ne[0] * t->ne[1] / n_group;
        if (n_c * chunks > n_t) t = ggml_pad(ctx, t, 0, 0, int(n_c * chunks - n_t), 0);
        return ggml_reshape_4d(ctx, t, inner, n_group, n_c, chunks * n_seqs);
    }
    // -> [n_c, k, heads, b]
    ggml_tensor * time_first(ggml_tensor * t) {
        const int64_t k = t->ne[0];
        ggml_tensor * permuted =
            ggml_cont(ctx, ggml_permute(ctx, in_chunks(t), 1, 2, 0, 3)); // [n_c, k · heads, n_group, …]
        return ggml_reshape_4d(ctx, permuted, n_c, k, heads, n_group * chunks * n_seqs);
    }
    // B or C -> [d_state, n_c, 1, b]
    ggml_tensor * rows(ggml_tensor * t) {
        ggml_tensor * permuted =
            ggml_cont(ctx, ggml_permute(ctx, in_chunks(t), 0, 2, 1, 3)); // [d_state, n_c, n_group, …]
        return ggml_reshape_4d(ctx, permuted, d_state, n_c, 1, n_group * chunks * n_seqs);
    }
    // [n_c, head_dim, heads, b] -> [head_dim, n_head, n_t, n_seqs]
    ggml_tensor * tokens(ggml_tensor * t) {
        t = ggml_reshape_4d(ctx, t, n_c, head_dim * heads, n_group, chunks * n_seqs);
        t = ggml_cont(ctx, ggml_permute(ctx, t, 2, 0, 1, 3)); // [head_dim · heads, n_group, n_c, …]
        t = ggml_reshape_4d(ctx, t, head_dim, heads * n_group, n_c * chunks, n_seqs);
        return ggml_view_4d(ctx, t, t->ne[0], t->ne[1], n_t, n_seqs, t->nb[1], t->nb[2], t->nb[3], 0);
    }

    // Returns the state before each chunk, [d_state, head_dim, heads, b], given what each chunk adds to the state and
    // the factor by which the state decays in it.
    ggml_tensor * states(ggml_tensor * added, ggml_tensor * remaining) {
        const int64_t size = d_state * head_dim * heads;
        added = ggml_reshape_4d(ctx, added, size, n_group, chunks, n_seqs);
        remaining = ggml_reshape_4d(ctx, remaining, heads, n_group, chunks, n_seqs);
        const auto chunk = [&](ggml_tensor * t, int64_t i, int64_t inner) { // [inner, n / inner, n_group, n_seqs]
            ggml_tensor * one = ggml_view_3d(ctx, t, t->ne[0], n_group, n_seqs, t->nb[1], t->nb[3], i * t->nb[2]);
            return ggml_reshape_4d(ctx, ggml_cont(ctx, one), inner, t->ne[0] / inner, n_group, n_seqs);
        };
        ggml_tensor * current = ggml_reshape_4d(ctx, s.state, d_state * head_dim, heads, n_group, n_seqs);
        std::vector<ggml_tensor *> before;
        for (int64_t i = 0; i < chunks; i++) {
            before.push_back(ggml_reshape_3d(ctx, current, size * n_group, 1, n_seqs));
            current =
                ggml_add(ctx, ggml_mul(ctx, current, chunk(remaining, i, 1)), chunk(added, i, d_state * head_dim));
        }
        state = ggml_reshape_4d(ctx, current, d_state, head_dim, heads * n_group, n_seqs);
        while (before.size() > 1) { // concatenates pairs, so that each state is copied log2(chunks) times
            std::vector<ggml_tensor *> pairs;
            for (size_t i = 0; i < before.size(); i += 2) {
                pairs.push_back(i + 1 < before.size() ? ggml_concat(ctx, before[i], before[i + 1], 1) : before[i]);
            }
            before = pairs;
        }
        return ggml_reshape_4d(ctx, before[0], d_state, head_dim, heads, n_group * chunks * n_seqs);
    }

    tensor_arena & ctx;
    const scan_segment & s;
    const int64_t d_state, head_dim, n_group, heads, n_t, n_seqs, n_c, chunks;
};

}

scan_gradients differentiate_heads(gradients & g, const scan_segment & segment, const scan_wanted & wanted) {
    scan_segment s = segment;
    for (ggml_tensor ** t : {&s.state, &s.x, &s.dt, &s.a, &s.b, &s.c}) *t = alias(g, *t);
    for (ggml_tensor * t : {s.state, s.x, s.dt}) g.want(t);
    if (wanted.a) g.want(s.a);
    if (wanted.b) g.want(s.b);
    if (wanted.c) g.want(s.c);
    chunked_scan form(g, s);
    form.build();
    differentiate(g, {{form.y, s.dy}, {form.state, s.dstate}}, {s.state, s.x, s.dt, s.a, s.b, s.c});
    return {g.take(s.state), g.take(s.x), g.take(s.dt), g.take(s.a), g.take(s.b), g.take(s.c)};
}

}
