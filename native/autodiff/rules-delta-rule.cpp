#include "autodiff/composed.h"
#include "autodiff/rules-linear-attention.h"
#include "autodiff/token-segments.h"

#include <algorithm>

namespace llamatune::rules {

namespace {

constexpr int64_t chunk_tokens = 16;

// RWKV 7's generalized delta rule (Peng et al., 2503.14456), values in rows and keys in columns of the state:
//   state_t = state_{t-1} (diag(w_t) + a_t b_tᵀ) + v_t k_tᵀ,   y_t = state_t r_t
// With u_t = state_{t-1} a_t it is a sum of decayed outer products u_j b_jᵀ + v_j k_jᵀ: in chunks, the u of all tokens
// solve one triangular system, and only the state goes from chunk to chunk.
class delta_rule {
public:
    // [size, n_head, n_t, n_seqs], n_t a power of two; the state [size · size · n_head, n_seqs]
    struct tensors { ggml_tensor *r, *w, *k, *v, *a, *b, *state; };

    delta_rule(ggml_context * ctx, const tensors & t)
        : ctx(ctx), t(t), size(t.r->ne[0]), n_head(t.r->ne[1]), n_t(t.r->ne[2]), n_seqs(t.r->ne[3]), n_c(std::min(chunk_tokens, n_t)),
          chunks(n_t / n_c), heads(n_head * n_seqs), all(chunks * heads) {}

    void build() {
        ggml_tensor *r = in_chunks(t.r), *k = in_chunks(t.k), *v = in_chunks(t.v), *a = in_chunks(t.a), *b = in_chunks(t.b);
        ggml_tensor * w = in_chunks(ggml_log(ctx, t.w)); // [size, n_c, chunks, heads]
        ggml_tensor * w_t = turned(w);                   // [n_c, size, chunks, heads]
        ggml_tensor * until = ggml_cumsum(ctx, w_t);     // logarithm of the decay from the chunk's start to each token's end
        ggml_tensor * before = ggml_sub(ctx, until, w_t);

        ggml_tensor * to_a = decayed(a, before, until, GGML_TRI_TYPE_LOWER);
        ggml_tensor * ab = ggml_tri(ctx, scores(to_a, b), GGML_TRI_TYPE_LOWER); // [j, t, chunks, heads]
        ggml_tensor * ak = ggml_tri(ctx, scores(to_a, k), GGML_TRI_TYPE_LOWER);
        ggml_tensor * to_r = decayed(r, until, until, GGML_TRI_TYPE_LOWER_DIAG);
        ggml_tensor * rb = ggml_tri(ctx, scores(to_r, b), GGML_TRI_TYPE_LOWER_DIAG);
        ggml_tensor * rk = ggml_tri(ctx, scores(to_r, k), GGML_TRI_TYPE_LOWER_DIAG);

        ggml_tensor * one = ggml_fill(ctx, ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 1), 1.0f);
        ggml_tensor * identity = ggml_diag(ctx, ggml_repeat_4d(ctx, one, n_c, 1, chunks, heads));
        ggml_tensor * system = ggml_sub(ctx, identity, ab);
        ggml_tensor * v_t = turned(v); // [n_c, size, …]
        ggml_tensor * u_of_values = ggml_solve_tri(ctx, system, ggml_mul_mat(ctx, v_t, ak), true, true, false); // [size, t]
        ggml_tensor * decay_a = ggml_mul(ctx, a, turned(ggml_exp(ctx, before)));
        ggml_tensor * u_of_state = ggml_solve_tri(ctx, system, decay_a, true, true, false);                     // [keys, t]
        ggml_tensor * y_of_values = ggml_mul_mat(ctx, v_t, rk);                                                 // [size, t]
        ggml_tensor * decay_r = ggml_mul(ctx, r, turned(ggml_exp(ctx, until)));

        ggml_tensor * last = ggml_cont(ctx, ggml_view_4d(ctx, until, 1, size, chunks, heads, until->nb[1], until->nb[2], until->nb[3],
                                                         (n_c - 1) * until->nb[0]));               // [1, size, …]
        ggml_tensor * to_end = ggml_exp(ctx, ggml_neg(ctx, ggml_sub(ctx, until, last)));           // [n_c, size, …]
        ggml_tensor * b_to_end = ggml_mul(ctx, turned(b), to_end);                                 // [j, keys]
        ggml_tensor * added = ggml_mul_mat(ctx, ggml_mul(ctx, turned(k), to_end), v_t);            // [keys, values]
        ggml_tensor * left = turned(ggml_exp(ctx, last));                                          // [keys, 1]

        ggml_tensor * now = ggml_reshape_4d(ctx, t.state, size, size, 1, heads);                   // [keys, values]
        std::vector<ggml_tensor *> outputs;
        for (int64_t i = 0; i < chunks; i++) {
            ggml_tensor * u = ggml_add(ctx, ggml_mul_mat(ctx, now, chunk(u_of_state, i)), chunk(u_of_values, i)); // [values, t]
            ggml_tensor * u_t = turned(u);                                                                          // [t, values]
            ggml_tensor * y_i = ggml_add(ctx, ggml_mul_mat(ctx, now, chunk(decay_r, i)), ggml_mul_mat(ctx, u_t, chunk(rb, i)));
            outputs.push_back(ggml_add(ctx, y_i, chunk(y_of_values, i)));
            ggml_tensor * more = ggml_add(ctx, ggml_mul_mat(ctx, chunk(b_to_end, i), u_t), chunk(added, i));
            now = ggml_add(ctx, ggml_mul(ctx, now, chunk(left, i)), more);
        }
        while (outputs.size() > 1) { // by pairs
            std::vector<ggml_tensor *> pairs;
            for (size_t i = 0; i < outputs.size(); i += 2) {
                pairs.push_back(i + 1 < outputs.size() ? ggml_concat(ctx, outputs[i], outputs[i + 1], 2) : outputs[i]);
            }
            outputs = pairs;
        }
        ggml_tensor * tokens = ggml_reshape_4d(ctx, outputs[0], size, n_t, n_head, n_seqs);
        y = ggml_cont(ctx, ggml_permute(ctx, tokens, 0, 2, 1, 3));
        state = ggml_reshape_2d(ctx, now, size * size * n_head, n_seqs);
    }

    ggml_tensor * y;     // [size, n_head, n_t, n_seqs]
    ggml_tensor * state; // after the last token

private:
    // [size, n_head, n_t, n_seqs] -> [size, n_c, chunks, heads]
    ggml_tensor * in_chunks(ggml_tensor * x) {
        return ggml_reshape_4d(ctx, ggml_cont(ctx, ggml_permute(ctx, x, 0, 2, 1, 3)), size, n_c, chunks, heads);
    }
    ggml_tensor * turned(ggml_tensor * x) { return ggml_cont(ctx, ggml_transpose(ctx, x)); }
    ggml_tensor * chunk(ggml_tensor * x, int64_t i) {
        return ggml_view_4d(ctx, x, x->ne[0], x->ne[1], 1, x->ne[3], x->nb[1], x->nb[2], x->nb[3], i * x->nb[2]);
    }

    // x_t[n] exp(to_t[n] - from_j[n]) where j < t (or j ≤ t): [size, t, j, all]; elsewhere of no meaning, but small
    ggml_tensor * decayed(ggml_tensor * x, ggml_tensor * to, ggml_tensor * from, ggml_tri_type where) {
        ggml_tensor * to_t = ggml_reshape_4d(ctx, to, 1, n_c, size, all);
        // dimensions of `to` are [n_c, size, …]: as a matrix for each key, its columns the tokens j
        ggml_tensor * between = ggml_sub(ctx, ggml_repeat_4d(ctx, to_t, n_c, n_c, size, all), ggml_reshape_4d(ctx, from, n_c, 1, size, all));
        ggml_tensor * decay = ggml_exp(ctx, ggml_tri(ctx, between, where)); // [j, t, size, all]
        decay = ggml_cont(ctx, ggml_permute(ctx, decay, 2, 1, 0, 3));       // [size, t, j, all]
        return ggml_mul(ctx, decay, ggml_reshape_4d(ctx, x, size, n_c, 1, all));
    }
    // Σ_n x_t[n] y_j[n], x decayed: [j, t, chunks, heads]
    ggml_tensor * scores(ggml_tensor * x, ggml_tensor * of_j) {
        ggml_tensor * s = ggml_mul_mat(ctx, x, ggml_reshape_4d(ctx, of_j, size, 1, n_c, all)); // [t, 1, j, all]
        return turned(ggml_reshape_4d(ctx, s, n_c, n_c, chunks, heads));
    }

    ggml_context * ctx;
    const tensors & t;
    const int64_t size, n_head, n_t, n_seqs, n_c, chunks, heads, all;
};

}

void rwkv_wkv7(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * const * src = node->src;
    const int64_t size = src[0]->ne[0], n_head = src[0]->ne[1];
    segmented_op op { node, { src[0], src[1], src[2], src[3], src[4], src[5] }, nullptr, src[6], chunk_tokens * size * n_head };
    op.make = [&](const segmented_op::parts & p, ggml_tensor * before) {
        return ggml_rwkv_wkv7(g.ctx(), p[0], p[1], p[2], p[3], p[4], p[5], before);
    };
    op.differentiate = [&](const segmented_op::parts & p, ggml_tensor * before, ggml_tensor * d, ggml_tensor * dafter) {
        ggml_tensor * state = alias(g, before);
        g.want(state);
        for (size_t i = 0; i < p.size(); i++) {
            if (g.wants(op.sources[i])) g.want(p[i]);
        }
        const delta_rule::tensors t { p[0], p[1], p[2], p[3], p[4], p[5], state };
        delta_rule form(g.ctx(), t);
        form.build();
        std::vector<ggml_tensor *> leaves = p;
        leaves.push_back(state);
        differentiate(g, { { form.y, d }, { form.state, dafter } }, leaves);
        segment_gradients found {};
        for (ggml_tensor * leaf : p) found.sources.push_back(g.take(leaf));
        found.state = g.take(state);
        return found;
    };
    by_segments(g, op, dy);
}

}
