#include "autodiff/rules/families.h"

#include "autodiff/scan/composed.h"
#include "autodiff/scan/token-segments.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace llamatune::rules {

namespace {

// With one rate per key (not per head), scores are sums over an explicit [size, t, j], so chunks are shorter.
constexpr int64_t chunk_tokens = 16, chunk_tokens_by_head = 64;

// RWKV 7's generalized delta rule (Peng et al., 2503.14456), values in rows and keys in columns of the state:
//   state_t = state_{t-1} (diag(w_t) + a_t b_tᵀ) + v_t k_tᵀ,   y_t = state_t r_t
// It covers gated delta nets (Yang et al., 2412.06464), where w_t is one number per head, and Kimi's, where it is one
// per key: the state decays by w, then the value that k_t retrieves is replaced by β v_t:  a_t = w_t k_t, b_t = -β_t
// k_t, v_t = β_t v_t. With u_t = state_{t-1} a_t the state is a sum of decayed outer products u_j b_jᵀ + v_j k_jᵀ.
// Within a chunk, the u of all tokens solve one triangular system; only the state passes from chunk to chunk.
class delta_rule {
public:
    // [size, n_head, n_t, n_seqs], n_t a power of two; the state [size · size · n_head, n_seqs]
    struct tensors {
        ggml_tensor *r, *log_w, *k, *v, *a, *b, *state;
    }; // log_w: [size or 1, n_head, …]

    delta_rule(tensor_arena & ctx, const tensors & t)
        : ctx(ctx), t(t), size(t.r->ne[0]), n_head(t.r->ne[1]), n_t(t.r->ne[2]), n_seqs(t.r->ne[3]),
          rates(t.log_w->ne[0]), n_c(std::min(rates == 1 ? chunk_tokens_by_head : chunk_tokens, n_t)),
          chunks(n_t / n_c), heads(n_head * n_seqs), all(chunks * heads) {}

    void build() {
        ggml_tensor *r = in_chunks(t.r), *k = in_chunks(t.k), *v = in_chunks(t.v), *a = in_chunks(t.a),
                    *b = in_chunks(t.b);
        ggml_tensor * w = in_chunks(t.log_w); // [rates, n_c, chunks, heads]
        ggml_tensor * w_t = transposed(w);    // [n_c, rates, chunks, heads]
        ggml_tensor * until =
            ggml_cumsum(ctx, w_t); // logarithm of the decay from the chunk's start to each token's end
        ggml_tensor * before = ggml_sub(ctx, until, w_t);

        const auto [ab, ak] = scores(a, before, until, b, k, GGML_TRI_TYPE_LOWER); // [j, t, chunks, heads] each
        const auto [rb, rk] = scores(r, until, until, b, k, GGML_TRI_TYPE_LOWER_DIAG);

        ggml_tensor * one = ggml_fill(ctx, ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 1), 1.0f);
        ggml_tensor * identity = ggml_diag(ctx, ggml_repeat_4d(ctx, one, n_c, 1, chunks, heads));
        ggml_tensor * system = ggml_sub(ctx, identity, ab);
        ggml_tensor * v_t = transposed(v); // [n_c, size, …]
        ggml_tensor * u_of_values =
            ggml_solve_tri(ctx, system, ggml_mul_mat(ctx, v_t, ak), true, true, false); // [size, t]
        ggml_tensor * decay_a = ggml_mul(ctx, a, transposed(ggml_exp(ctx, before)));
        ggml_tensor * u_of_state = ggml_solve_tri(ctx, system, decay_a, true, true, false); // [keys, t]
        ggml_tensor * y_of_values = ggml_mul_mat(ctx, v_t, rk);                             // [size, t]
        ggml_tensor * decay_r = ggml_mul(ctx, r, transposed(ggml_exp(ctx, until)));

        ggml_tensor * last =
            ggml_cont(ctx, ggml_view_4d(ctx, until, 1, rates, chunks, heads, until->nb[1], until->nb[2], until->nb[3],
                                        (n_c - 1) * until->nb[0]));                         // [1, rates, …]
        ggml_tensor * to_end = ggml_exp(ctx, ggml_neg(ctx, ggml_sub(ctx, until, last)));    // [n_c, rates, …]
        ggml_tensor * b_to_end = ggml_mul(ctx, transposed(b), to_end);                      // [j, keys]
        ggml_tensor * added = ggml_mul_mat(ctx, ggml_mul(ctx, transposed(k), to_end), v_t); // [keys, values]
        ggml_tensor * remaining = transposed(ggml_exp(ctx, last));                          // [rates, 1]

        ggml_tensor * current = ggml_reshape_4d(ctx, t.state, size, size, 1, heads); // [keys, values]
        std::vector<ggml_tensor *> outputs;
        for (int64_t i = 0; i < chunks; i++) {
            ggml_tensor * u =
                ggml_add(ctx, ggml_mul_mat(ctx, current, chunk(u_of_state, i)), chunk(u_of_values, i)); // [values, t]
            ggml_tensor * u_t = transposed(u);                                                          // [t, values]
            ggml_tensor * y_i =
                ggml_add(ctx, ggml_mul_mat(ctx, current, chunk(decay_r, i)), ggml_mul_mat(ctx, u_t, chunk(rb, i)));
            outputs.push_back(ggml_add(ctx, y_i, chunk(y_of_values, i)));
            ggml_tensor * more = ggml_add(ctx, ggml_mul_mat(ctx, chunk(b_to_end, i), u_t), chunk(added, i));
            current = ggml_add(ctx, ggml_mul(ctx, current, chunk(remaining, i)), more);
        }
        while (outputs.size() > 1) { // concatenates pairs, so that each output is copied log2(chunks) times
            std::vector<ggml_tensor *> pairs;
            for (size_t i = 0; i < outputs.size(); i += 2) {
                pairs.push_back(i + 1 < outputs.size() ? ggml_concat(ctx, outputs[i], outputs[i + 1], 2) : outputs[i]);
            }
            outputs = pairs;
        }
        ggml_tensor * tokens = ggml_reshape_4d(ctx, outputs[0], size, n_t, n_head, n_seqs);
        y = ggml_cont(ctx, ggml_permute(ctx, tokens, 0, 2, 1, 3));
        state = ggml_reshape_2d(ctx, current, size * size * n_head, n_seqs);
    }

    ggml_tensor * y;     // [size, n_head, n_t, n_seqs]
    ggml_tensor * state; // after the last token

private:
    // [size, n_head, n_t, n_seqs] -> [size, n_c, chunks, heads]
    ggml_tensor * in_chunks(ggml_tensor * x) {
        return ggml_reshape_4d(ctx, ggml_cont(ctx, ggml_permute(ctx, x, 0, 2, 1, 3)), x->ne[0], n_c, chunks, heads);
    }
    ggml_tensor * transposed(ggml_tensor * x) { return ggml_cont(ctx, ggml_transpose(ctx, x)); }
    ggml_tensor * chunk(ggml_tensor * x, int64_t i) {
        return ggml_view_4d(ctx, x, x->ne[0], x->ne[1], 1, x->ne[3], x->nb[1], x->nb[2], x->nb[3], i * x->nb[2]);
    }

    // Σ_n x_t[n] exp(to_t[n] - from_j[n]) y_j[n] for both y, where j < t (or j ≤ t); zero elsewhere: [j, t, chunks,
    // heads]
    std::pair<ggml_tensor *, ggml_tensor *> scores(ggml_tensor * x, ggml_tensor * to, ggml_tensor * from,
                                                   ggml_tensor * y1, ggml_tensor * y2, ggml_tri_type where) {
        ggml_tensor * to_t = ggml_reshape_4d(ctx, to, 1, n_c, rates, all);
        ggml_tensor * from_j = ggml_reshape_4d(ctx, from, n_c, 1, rates, all);
        ggml_tensor * between = ggml_sub(ctx, ggml_repeat_4d(ctx, to_t, n_c, n_c, rates, all), from_j);
        ggml_tensor * decay =
            ggml_exp(ctx, ggml_tri(ctx, between, where)); // [j, t, rates, all]; other entries are not used
        if (rates == 1) {
            decay = ggml_reshape_4d(ctx, decay, n_c, n_c, chunks, heads);
            const auto score = [&](ggml_tensor * y) {
                return ggml_tri(ctx, ggml_mul(ctx, ggml_mul_mat(ctx, y, x), decay), where);
            };
            return {score(y1), score(y2)};
        }
        decay = ggml_cont(ctx, ggml_permute(ctx, decay, 2, 1, 0, 3)); // [size, t, j, all]
        ggml_tensor * decayed = ggml_mul(ctx, decay, ggml_reshape_4d(ctx, x, size, n_c, 1, all));
        const auto score = [&](ggml_tensor * y) {
            ggml_tensor * s = ggml_mul_mat(ctx, decayed, ggml_reshape_4d(ctx, y, size, 1, n_c, all)); // [t, 1, j, all]
            return ggml_tri(ctx, transposed(ggml_reshape_4d(ctx, s, n_c, n_c, chunks, heads)), where);
        };
        return {score(y1), score(y2)};
    }

    tensor_arena & ctx;
    const tensors & t;
    const int64_t size, n_head, n_t, n_seqs, rates, n_c, chunks, heads, all;
};

using make_tensors = std::function<delta_rule::tensors(const segmented_op::parts &, ggml_tensor * state)>;

void differentiate_delta_rule(gradients & g, segmented_op & op, ggml_tensor * dy, const make_tensors & make) {
    op.differentiate = [&](const segmented_op::parts & p, ggml_tensor * before, ggml_tensor * d, ggml_tensor * dafter) {
        std::vector<ggml_tensor *> leaves = p;
        leaves.push_back(alias(g, before));
        g.want(leaves.back());
        for (size_t i = 0; i < p.size(); i++) {
            if (g.wants(op.sources[i])) g.want(p[i]);
        }
        const delta_rule::tensors tensors = make(p, leaves.back());
        delta_rule form(g.ctx(), tensors);
        form.build();
        differentiate(g, {{form.y, d}, {form.state, dafter}}, leaves);
        segment_gradients found{};
        for (ggml_tensor * leaf : p) found.sources.push_back(g.take(leaf));
        found.state = g.take(leaves.back());
        return found;
    };
    by_segments(g, op, dy);
}

void rwkv_wkv7(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * const * src = node->src;
    segmented_op op;
    op.sources = {src[0], src[1], src[2], src[3], src[4], src[5]};
    op.state = src[6];
    op.length = [&](int64_t left) {
        return tokens_at_once(g.slice_bytes(), chunk_tokens * src[0]->ne[0] * src[0]->ne[1] * op.state->ne[1], left);
    };
    op.make = [&](const segmented_op::parts & p, ggml_tensor * before) {
        const auto source = [&](size_t i) { return in_one_sequence(g, p[i]); };
        return ggml_rwkv_wkv7(ctx, source(0), source(1), source(2), source(3), source(4), source(5), before);
    };
    differentiate_delta_rule(g, op, dy, [&](const segmented_op::parts & p, ggml_tensor * state) {
        return delta_rule::tensors{p[0], ggml_log(ctx, p[1]), p[2], p[3], p[4], p[5], state};
    });
}

// Heads of queries and keys are repeated in tiles to match the heads of values, as ggml's op does.
void gated_delta_net(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor *q = node->src[0], *k = node->src[1], *v = node->src[2], *gate = node->src[3], *beta = node->src[4],
                *state = node->src[5];
    const int64_t size = v->ne[0], n_head = v->ne[1], n_seqs = v->ne[3];
    if (node->op_params[0] != 1 || q->ne[3] != n_seqs || k->ne[3] != n_seqs) {
        throw error("UNSUPPORTED_OP", "cannot differentiate GATED_DELTA_NET with " +
                                          std::to_string(node->op_params[0]) +
                                          " final states, or with fewer sequences of queries or keys than of values");
    }
    const int64_t numbers = (gate->ne[0] == 1 ? 4 : chunk_tokens) * size * n_head;
    segmented_op op;
    op.sources = {q, k, v, gate, beta};
    op.like = 2;
    op.state = ggml_reshape_2d(ctx, state, size * size * n_head, n_seqs);
    op.length = [&](int64_t left) { return tokens_at_once(g.slice_bytes(), numbers * n_seqs, left); };
    if (g.wants(state)) g.want(op.state);
    op.make = [&](const segmented_op::parts & p, ggml_tensor * before) {
        return ggml_gated_delta_net(ctx, p[0], p[1], p[2], p[3], p[4],
                                    ggml_reshape_4d(ctx, before, size, size, n_head, n_seqs), 1);
    };
    differentiate_delta_rule(g, op, dy, [&](const segmented_op::parts & p, ggml_tensor * before) {
        const auto for_values = [&](ggml_tensor * t) { return ggml_repeat_4d(ctx, t, size, n_head, t->ne[2], n_seqs); };
        ggml_tensor * keys = for_values(p[1]);
        ggml_tensor * erased = ggml_scale(ctx, ggml_mul(ctx, keys, p[4]), -1.0f);
        return delta_rule::tensors{ggml_scale(ctx, for_values(p[0]), 1.0f / std::sqrt(float(size))),
                                   p[3],
                                   keys,
                                   ggml_mul(ctx, p[2], p[4]),
                                   ggml_mul(ctx, keys, ggml_exp(ctx, p[3])),
                                   erased,
                                   before};
    });
    if (ggml_tensor * dstate = g.take(op.state)) g.add(state, dstate);
}

}

rule_rows delta_rule_rules() {
    return {
        // state_t = state_{t-1} (diag(w_t) + a_t b_tᵀ) + v_t k_tᵀ, y_t = state_t r_t; see delta_rule above
        {GGML_OP_RWKV_WKV7, rwkv_wkv7},
        {GGML_OP_GATED_DELTA_NET, gated_delta_net},
    };
}

}
