#include "autodiff/dequantize.h"

#include "autodiff/gradients.h"

namespace llamatune {

ggml_tensor * dequantized_by_rows(gradients & g, ggml_tensor * weight) {
    ggml_context * ctx = g.ctx();
    const int64_t rows = ggml_nrows(weight);
    ggml_tensor * table = ggml_reshape_2d(ctx, weight, weight->ne[0], rows);
    ggml_tensor * all = ggml_cast(ctx, ggml_arange(ctx, 0.0f, float(rows), 1.0f), GGML_TYPE_I32); // exact below 2^24
    return ggml_reshape(ctx, ggml_get_rows(ctx, table, all), weight);
}

// Pieces of rows times the unit matrix, [b, rows] x [b, b] -> [rows, b]: as much work as b tokens are. Scaled by 127,
// because products with quantized weights may round their other operand to 8 bits, where 127 is exact and 1 is not.
ggml_tensor * dequantized_by_product(gradients & g, ggml_tensor * weight) {
    ggml_context * ctx = g.ctx();
    constexpr int64_t widest = 256; // of all types' blocks
    const int64_t b = weight->ne[0] % widest == 0 ? widest : ggml_blck_size(weight->type);
    ggml_tensor * pieces = ggml_reshape_2d(ctx, weight, b, ggml_nelements(weight) / b);
    ggml_tensor * unit = ggml_diag(ctx, ggml_fill(ctx, ggml_new_tensor_1d(ctx, GGML_TYPE_F32, b), 127.0f));
    ggml_tensor * product = ggml_mul_mat(ctx, pieces, unit);
    ggml_tensor * values = ggml_cont(ctx, ggml_transpose(ctx, product)); // [b, rows]
    return ggml_reshape(ctx, ggml_scale(ctx, values, 1.0f / 127.0f), weight);
}

ggml_tensor * dequantized(gradients & g, ggml_tensor * weight) {
    ggml_tensor * cast = ggml_cast(g.ctx(), weight, GGML_TYPE_F32);
    if (g.runs(cast) || !ggml_is_contiguous(weight)) {
        return cast;
    }
    ggml_tensor * table = ggml_reshape_2d(g.ctx(), weight, weight->ne[0], ggml_nrows(weight));
    ggml_tensor * index = ggml_new_tensor_1d(g.ctx(), GGML_TYPE_I32, 1);
    if (ggml_nrows(weight) < (1 << 24) && g.runs(ggml_get_rows(g.ctx(), table, index))) {
        return dequantized_by_rows(g, weight);
    }
    ggml_tensor * column = ggml_new_tensor_2d(g.ctx(), GGML_TYPE_F32, weight->ne[0], ggml_blck_size(weight->type));
    if (g.runs(ggml_mul_mat(g.ctx(), table, column))) {
        return dequantized_by_product(g, weight);
    }
    return cast;
}

}
