#include "autodiff/rules-matmul.h"

namespace llamatune::rules {

// Y[m, n, b2, b3] = Σ_k A[k, m, a2, a3] · B[k, n, b2, b3]; A is repeated along dimensions 2 and 3 (grouped-query
// attention), B never is. A may be quantized: it is dequantized and transposed once per product, never token by token.
void mul_mat(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_context * ctx = g.ctx();
    ggml_tensor * a = node->src[0];
    ggml_tensor * b = node->src[1];
    if (g.wants(b)) {
        g.add(b, ggml_mul_mat(ctx, g.transposed(a), dy)); // [m, k] x [m, n] -> [k, n]
    }
    if (!g.wants(a)) {
        return;
    }
    ggml_tensor * x = g.contiguous(b);
    const int64_t r2 = b->ne[2] / a->ne[2];
    const int64_t r3 = b->ne[3] / a->ne[3];
    const bool fold = r2 > 1 && r3 == 1;
    if (fold) {
        // the sum over the queries of one key head is a longer inner dimension of the product
        x = ggml_reshape_4d(ctx, x, b->ne[0], b->ne[1] * r2, a->ne[2], b->ne[3]);
        dy = ggml_reshape_4d(ctx, dy, dy->ne[0], dy->ne[1] * r2, a->ne[2], dy->ne[3]);
    }
    ggml_tensor * da = ggml_mul_mat(ctx, g.transposed(x), g.transposed(dy)); // [n, k] x [n, m] -> [k, m]
    g.add(a, r3 > 1 ? g.sum_to(da, a) : da);
}

}
