#include "autodiff/rules/families.h"

namespace llamatune::rules {

namespace {

// y_t = Σ_{j≤t} x_j:  dx_j = Σ_{t≥j} dy_t, the sum of all dy minus the sum of those before j
void cumsum(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * before = ggml_sub(ctx, dy, ggml_cumsum(ctx, dy));
    g.add(node->src[0], ggml_add(ctx, before, ggml_sum_rows(ctx, dy)));
}

void tri(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_tri(g.ctx(), dy, ggml_tri_type(node->op_params[0])));
}

// A X = B with A lower triangular:  dB = A⁻ᵀ dX,  dA = -tril(dB Xᵀ)   (Giles 2008, matrix derivative results, 2.3.1)
// The rule computes the inverse with the op that the forward pass ran, since no device solves upper systems.
void solve_tri(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * a = node->src[0]; // [n, n, batch…]: a row is A's row
    ggml_tensor * b = node->src[1]; // [k, n, batch…]
    ggml_tensor * identity = ggml_diag(ctx, g.filled(1.0f, a->ne[0], 1, a->ne[2], a->ne[3]));
    ggml_tensor * inverse = ggml_solve_tri(ctx, g.contiguous(a), identity, true, true, false); // [n, n]
    ggml_tensor * db = ggml_mul_mat(ctx, g.transposed(dy), g.transposed(inverse)); // [n, k] x [n, n] -> [k, n]
    g.add(b, db);
    if (g.wants(a)) {
        ggml_tensor * da = ggml_mul_mat(ctx, node, db); // [k, n] x [k, n] -> [n, n]
        g.add(a, ggml_scale(ctx, ggml_tri(ctx, da, GGML_TRI_TYPE_LOWER_DIAG), -1.0f));
    }
}

void diag(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    // the diagonal is a view whose stride is one row and one element
    g.add(node->src[0], ggml_cont(g.ctx(), ggml_view_4d(g.ctx(), dy, 1, dy->ne[1], dy->ne[2], dy->ne[3],
                                                        dy->nb[1] + dy->nb[0], dy->nb[2], dy->nb[3], 0)));
}

}

rule_rows triangular_rules() {
    return {
        // y_t = Σ_{j≤t} x_j: dx_j = Σ_{t≥j} dy_t
        {GGML_OP_CUMSUM, cumsum},
        // dx = dy where the triangle keeps x
        {GGML_OP_TRI, tri},
        // A X = B: dB = A⁻ᵀ dX, dA = -tril(dB Xᵀ)
        {GGML_OP_SOLVE_TRI, solve_tri},
        // dx = the diagonal of dy
        {GGML_OP_DIAG, diag},
    };
}

}
