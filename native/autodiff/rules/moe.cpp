#include "autodiff/rules/families.h"
#include "autodiff/rules/scatter-rows.h"

#include <algorithm>

namespace llamatune::rules {

namespace {

// The slice size for a layer's experts, which are large: half of that of other weights.
int64_t expert_slice_bytes(const gradients & g) { return g.slice_bytes() / 2; }

// How many of `n` items fit the budget at a time if each needs `bytes`; at most 64 slices result.
int64_t slice_length(int64_t n, int64_t bytes, int64_t budget) {
    constexpr int64_t most_slices = 64;
    return std::min(n, std::max({int64_t(1), budget / bytes, (n + most_slices - 1) / most_slices}));
}

// x [P, n], y [Q, n] -> Σ x yᵀ, [P, Q]
ggml_tensor * outer_products(gradients & g, ggml_tensor * x, ggml_tensor * y) {
    tensor_arena & ctx = g.ctx();
    if (ggml_tensor * product = ggml_out_prod(ctx, x, y); g.accelerated(product)) { return product; }
    return ggml_mul_mat(ctx, g.transposed(x), g.transposed(y));
}

ggml_tensor * tokens_of(gradients & g, ggml_tensor * t, int64_t first, int64_t count) { // t: [n, slots, n_tokens]
    if (count == t->ne[2]) return t;
    return ggml_view_3d(g.ctx(), t, t->ne[0], t->ne[1], count, t->nb[1], t->nb[2], size_t(first) * t->nb[2]);
}

// Spreads each slot of each token over the experts: t [n, n_used, n_tokens] -> [n, n_expert, n_used, n_tokens], zero
// except at the slot's expert.
ggml_tensor * spread_slots(gradients & g, ggml_tensor * t, ggml_tensor * ids, int64_t n_expert) {
    tensor_arena & ctx = g.ctx();
    const int64_t n = t->ne[0], n_used = ids->ne[0], n_tokens = ids->ne[1];
    ggml_tensor * rows = ggml_view_3d(ctx, ids, 1, n_used, n_tokens, ids->nb[0], ids->nb[1], 0);
    ggml_tensor * slots = ggml_reshape_4d(ctx, g.contiguous(t), n, 1, n_used, n_tokens);
    return ggml_set_rows(ctx, g.filled(0.0f, n, n_expert, n_used, n_tokens), slots, rows);
}

// Returns Aᵀ dY, expert by expert: A [k, m, n_expert], dY [m, n_used, n_tokens] -> [k, n_used, n_tokens]. A is
// dequantized and transposed in slices of rows over all experts.
ggml_tensor * transposed_product(gradients & g, ggml_tensor * a, ggml_tensor * dy, ggml_tensor * ids) {
    tensor_arena & ctx = g.ctx();
    const int64_t k = a->ne[0], m = a->ne[1], n_expert = a->ne[2];
    const int64_t rows = slice_length(m, k * n_expert * int64_t(sizeof(float)), expert_slice_bytes(g));
    ggml_tensor * sum = nullptr;
    for (int64_t first = 0; first < m; first += rows) {
        const int64_t count = std::min(rows, m - first);
        ggml_tensor *a_slice = a, *dy_slice = dy;
        if (count < m) {
            a_slice = ggml_view_3d(ctx, a, k, count, n_expert, a->nb[1], a->nb[2], size_t(first) * a->nb[1]);
            dy_slice = ggml_cont(ctx, ggml_view_3d(ctx, dy, count, dy->ne[1], dy->ne[2], dy->nb[1], dy->nb[2],
                                                   size_t(first) * dy->nb[0]));
        }
        ggml_tensor * part = ggml_mul_mat_id(ctx, g.transposed(a_slice), dy_slice, ids);
        sum = sum ? ggml_add(ctx, sum, part) : part;
    }
    return sum;
}

// Returns Σ x dyᵀ over the tokens of each expert: [k, m, n_expert]. The narrower side is spread over the experts, with
// zeros for the experts that a token does not use; then one product over all tokens gives every expert's sum.
ggml_tensor * expert_products(gradients & g, ggml_tensor * x, ggml_tensor * dy, ggml_tensor * ids, int64_t n_expert) {
    tensor_arena & ctx = g.ctx();
    const int64_t k = x->ne[0], m = dy->ne[0], n_used = ids->ne[0], n_tokens = ids->ne[1];
    const bool shared = x->ne[1] == 1; // all slots of a token share one row of x
    const bool spread_dy = (shared ? m : m * n_used) <= k * n_used;
    const int64_t spread = n_expert * (spread_dy ? (shared ? m : m * n_used) : k * n_used);
    const int64_t result_bytes = k * m * n_expert * int64_t(sizeof(float));
    const int64_t slice_tokens =
        slice_length(n_tokens, spread * int64_t(sizeof(float)), std::max(expert_slice_bytes(g), result_bytes));
    ggml_tensor * sum = nullptr;
    for (int64_t first = 0; first < n_tokens; first += slice_tokens) {
        const int64_t count = std::min(slice_tokens, n_tokens - first);
        ggml_tensor * x_part = g.contiguous(tokens_of(g, x, first, count));
        ggml_tensor * dy_part = tokens_of(g, dy, first, count);
        ggml_tensor * ids_part = ids;
        if (count < n_tokens) {
            ids_part = ggml_view_2d(ctx, ids, n_used, count, ids->nb[1], size_t(first) * ids->nb[1]);
        }
        if (x->ne[1] != n_used && !(shared && spread_dy)) { x_part = ggml_repeat_4d(ctx, x_part, k, n_used, count, 1); }
        const int64_t n = count * (shared && spread_dy ? 1 : n_used);
        ggml_tensor * part;
        if (spread_dy) {
            ggml_tensor * wide = shared ? scatter_rows(g, dy_part, ids_part, n_expert) // [m, n_expert, count]
                                        : spread_slots(g, dy_part, ids_part, n_expert);
            part = outer_products(g, ggml_reshape_2d(ctx, x_part, k, n), ggml_reshape_2d(ctx, wide, m * n_expert, n));
        } else {
            ggml_tensor * wide = ggml_reshape_2d(ctx, spread_slots(g, x_part, ids_part, n_expert), k * n_expert, n);
            part = outer_products(g, wide, ggml_reshape_2d(ctx, dy_part, m, n)); // [k·n_expert, m]
        }
        sum = sum ? ggml_add(ctx, sum, part) : part;
    }
    if (spread_dy) return ggml_reshape_3d(ctx, sum, k, m, n_expert);
    return ggml_cont(ctx, ggml_permute(ctx, ggml_reshape_3d(ctx, sum, k, n_expert, m), 0, 2, 1, 3));
}

// Y[m, s, t] = A[:, :, ids[s, t]] · B[k, s % slots, t] for slots s of tokens t. A [k, m, n_expert] may be quantized.
void mul_mat_id(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * a = node->src[0];
    ggml_tensor * b = node->src[1];   // [k, n_used or a divisor of it, n_tokens]
    ggml_tensor * ids = node->src[2]; // I32 [n_used, n_tokens]
    if (g.wants(b)) { g.add(b, g.sum_to(transposed_product(g, a, dy, ids), b)); }
    if (g.wants(a)) { g.add(a, expert_products(g, b, dy, ids, a->ne[2])); }
}

// Y[n, s, t] = A[n, s, t] + B[n, ids[s, t]]
void add_id(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * b = node->src[1];   // [n, n_expert]
    ggml_tensor * ids = node->src[2]; // I32 [n_used, n_tokens]
    g.add(node->src[0], dy);
    if (!g.wants(b)) { return; }
    const int64_t n_slots = ids->ne[0] * ids->ne[1];
    ggml_tensor * rows = ggml_reshape_1d(ctx, g.contiguous(ids), n_slots);
    ggml_tensor * flat = ggml_reshape_2d(ctx, dy, dy->ne[0], n_slots);
    ggml_tensor * fused = ggml_get_rows_back(ctx, flat, rows, b);
    g.add(b, g.allows(fused) ? fused : scatter_rows(g, flat, rows, b->ne[1]));
}

}

rule_rows moe_rules() {
    return {
        // y_s = A[id_s] b: db = Σ_s A[id_s]ᵀ dy_s, dA[e] = Σ_{id_s = e} dy_s bᵀ
        {GGML_OP_MUL_MAT_ID, mul_mat_id},
        // y_s = a_s + b[id_s]: da = dy, db[e] = Σ_{id_s = e} dy_s
        {GGML_OP_ADD_ID, add_id},
        // the choice of experts
        {GGML_OP_ARGMAX, zero_gradient},
        {GGML_OP_ARGSORT, zero_gradient},
        {GGML_OP_TOP_K, zero_gradient},
    };
}

}
