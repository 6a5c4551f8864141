#include "autodiff/rules/families.h"

#include <algorithm>

namespace llamatune::rules {

namespace {

// Sums a contiguous [inner, n, outer] over its middle dimension.
ggml_tensor * sum_middle(gradients & g, ggml_tensor * t, int64_t inner, int64_t n, int64_t outer) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * front = ggml_cont(ctx, ggml_permute(ctx, ggml_reshape_3d(ctx, t, inner, n, outer), 1, 0, 2, 3));
    return ggml_sum_rows(ctx, front); // [1, inner, outer]
}

// [k, m, b2, b3] -> [k, m, a2, a3]: along each batch dimension, matrix i of A was multiplied with the matrices
// i·r … i·r + r-1 of B (neighbours, unlike a broadcast's tiles).
ggml_tensor * sum_groups(gradients & g, ggml_tensor * t, int64_t a2, int64_t a3) {
    const int64_t k = t->ne[0], m = t->ne[1], r2 = t->ne[2] / a2, r3 = t->ne[3] / a3;
    if (r3 > 1) { t = sum_middle(g, t, k * m * r2 * a2, r3, a3); }
    if (r2 > 1) { t = sum_middle(g, t, k * m, r2, a2 * a3); }
    return ggml_reshape_4d(g.ctx(), t, k, m, a2, a3);
}

// Returns Aᵀ · dY for a weight A, [k, m] x [m, n] -> [k, n], computed in slices of A's rows.
ggml_tensor * transposed_product(gradients & g, ggml_tensor * a, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    const int64_t k = a->ne[0], m = a->ne[1];
    if (ggml_tensor * product = ggml_out_prod(ctx, a, ggml_transpose(ctx, dy)); g.accelerated(product)) {
        return product;
    }
    int64_t rows = std::max<int64_t>(1, g.slice_bytes() / (k * int64_t(sizeof(float))));
    if (rows > 256) {
        rows = rows / 256 * 256; // slices start at addresses that a device can bind
    }
    if (m <= rows || !ggml_is_matrix(a)) { return ggml_mul_mat(ctx, g.transposed(a), dy); }
    ggml_tensor * sum = nullptr;
    for (int64_t first = 0; first < m; first += rows) {
        const int64_t count = std::min(rows, m - first);
        ggml_tensor * a_slice = ggml_view_2d(ctx, a, k, count, a->nb[1], size_t(first) * a->nb[1]);
        ggml_tensor * dy_slice = ggml_view_4d(ctx, dy, count, dy->ne[1], dy->ne[2], dy->ne[3], dy->nb[1], dy->nb[2],
                                              dy->nb[3], size_t(first) * dy->nb[0]);
        ggml_tensor * part = ggml_mul_mat(ctx, g.transposed(a_slice), dy_slice);
        sum = sum ? ggml_add(ctx, sum, part) : part;
    }
    return sum;
}

// Y[m, n, b2, b3] = Σ_k A[k, m, a2, a3] · B[k, n, b2, b3]; A is repeated along dimensions 2 and 3 (grouped-query
// attention), B never is. A may be quantized: it is dequantized and transposed for the whole batch, never token by
// token.
void mul_mat(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * a = node->src[0];
    ggml_tensor * b = node->src[1];
    if (g.wants(b)) { g.add(b, transposed_product(g, a, dy)); }
    if (!g.wants(a)) { return; }
    ggml_tensor * x = g.contiguous(b);
    const int64_t r2 = b->ne[2] / a->ne[2];
    const int64_t r3 = b->ne[3] / a->ne[3];
    const bool fold = r2 > 1 && r3 == 1;
    if (fold) {
        // the sum over the queries of one key head becomes a longer inner dimension of the product
        x = ggml_reshape_4d(ctx, x, b->ne[0], b->ne[1] * r2, a->ne[2], b->ne[3]);
        dy = ggml_reshape_4d(ctx, dy, dy->ne[0], dy->ne[1] * r2, a->ne[2], dy->ne[3]);
    }
    ggml_tensor * da = ggml_out_prod(ctx, x, dy); // [k, n] x [m, n] -> [k, m]
    if (!g.accelerated(da)) { da = ggml_mul_mat(ctx, g.transposed(x), g.transposed(dy)); }
    g.add(a, fold ? da : sum_groups(g, da, a->ne[2], a->ne[3]));
}

}

rule_rows matmul_rules() {
    return {
        // Y = Aᵀ B: dB = A dY, dA = B dYᵀ
        {GGML_OP_MUL_MAT, mul_mat},
    };
}

}
