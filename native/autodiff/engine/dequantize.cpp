#include "autodiff/engine/dequantize.h"

#include "autodiff/engine/gradients.h"

namespace llamatune {

namespace {

// Rows of a table that is dense in memory: `count` rows from `first` on of each of n_matrices, `stride` rows apart.
struct row_window {
    ggml_tensor * table = nullptr; // [k, all rows]
    int64_t first = 0, count = 0, n_matrices = 1, stride = 0;
};

// Describes a weight, or a slice of rows of each of its matrices, as rows of a table. Returns no table if it is
// neither.
row_window window_of(tensor_arena & ctx, ggml_tensor * weight) {
    row_window w;
    ggml_tensor * whole = weight->view_src ? weight->view_src : weight;
    const size_t row = ggml_row_size(weight->type, weight->ne[0]);
    const bool dense = ggml_is_contiguous(whole) && whole->type == weight->type && whole->ne[0] == weight->ne[0];
    const bool of_rows = weight->nb[1] == row && weight->nb[2] % row == 0 && weight->view_offs % row == 0;
    if (!dense || !of_rows || (weight->ne[3] > 1 && !ggml_is_contiguous(weight))) { return w; }
    w.first = int64_t(weight->view_offs / row);
    w.count = ggml_is_contiguous(weight) ? ggml_nrows(weight) : weight->ne[1];
    w.n_matrices = ggml_nrows(weight) / w.count;
    w.stride = int64_t(weight->nb[2] / row);
    w.table = ggml_reshape_2d(ctx, whole, whole->ne[0], ggml_nrows(whole));
    return w;
}

ggml_tensor * arange(tensor_arena & ctx, int64_t first, int64_t count) {
    return ggml_arange(ctx, float(first), float(first + count), 1.0f);
}

constexpr int64_t exact_in_f32 = 1 << 24;

}

ggml_tensor * dequantized_by_rows(gradients & g, ggml_tensor * weight) {
    tensor_arena & ctx = g.ctx();
    const row_window w = window_of(ctx, weight);
    ggml_tensor * rows = arange(ctx, w.first, w.count);
    if (w.n_matrices > 1) {
        ggml_tensor * starts = ggml_scale(ctx, arange(ctx, 0, w.n_matrices), float(w.stride));
        rows = ggml_add(ctx, ggml_repeat_4d(ctx, rows, w.count, w.n_matrices, 1, 1),
                        ggml_reshape_2d(ctx, starts, 1, w.n_matrices));
        rows = ggml_reshape_1d(ctx, rows, w.count * w.n_matrices);
    }
    ggml_tensor * values = ggml_get_rows(ctx, w.table, ggml_cast(ctx, rows, GGML_TYPE_I32));
    return ggml_reshape_4d(ctx, values, weight->ne[0], weight->ne[1], weight->ne[2], weight->ne[3]);
}

// Multiplies pieces of rows with the unit matrix, [b, rows] x [b, b] -> [rows, b]; this costs as much as b tokens. The
// unit matrix is scaled by 127, because products with quantized weights may round their other operand to 8 bits, in
// which 127 is exact and 1 is not.
ggml_tensor * dequantized_by_product(gradients & g, ggml_tensor * weight) {
    tensor_arena & ctx = g.ctx();
    constexpr int64_t max_block = 256; // the largest block of any type
    const int64_t b = weight->ne[0] % max_block == 0 ? max_block : ggml_blck_size(weight->type);
    const bool whole = ggml_is_contiguous(weight);
    const int64_t n_matrices = whole ? 1 : weight->ne[2];
    const int64_t rows = ggml_nelements(weight) / b / n_matrices;
    ggml_tensor * pieces = ggml_view_3d(ctx, weight, b, rows, n_matrices, ggml_row_size(weight->type, b),
                                        whole ? ggml_nbytes(weight) : weight->nb[2], 0);
    ggml_tensor * unit = ggml_diag(ctx, ggml_fill(ctx, ggml_new_tensor_1d(ctx, GGML_TYPE_F32, b), 127.0f));
    if (n_matrices > 1) { unit = ggml_repeat_4d(ctx, unit, b, b, n_matrices, 1); }
    ggml_tensor * product = ggml_mul_mat(ctx, pieces, unit);             // [rows, b, n_matrices]
    ggml_tensor * values = ggml_cont(ctx, ggml_transpose(ctx, product)); // [b, rows, n_matrices]
    values = ggml_reshape_4d(ctx, values, weight->ne[0], weight->ne[1], weight->ne[2], weight->ne[3]);
    return ggml_scale(ctx, values, 1.0f / 127.0f);
}

ggml_tensor * dequantized(gradients & g, ggml_tensor * weight) {
    ggml_tensor * cast = ggml_cast(g.ctx(), weight, GGML_TYPE_F32);
    // Vulkan copies non-contiguous blocks of some types (Q1_0) incorrectly.
    if (g.runs(cast) && (ggml_is_contiguous(weight) || !ggml_is_quantized(weight->type))) { return cast; }
    const row_window w = window_of(g.ctx(), weight);
    if (!w.table) { return cast; }
    ggml_tensor * index = ggml_new_tensor_1d(g.ctx(), GGML_TYPE_I32, 1);
    if (ggml_nrows(w.table) < exact_in_f32 && g.runs(ggml_get_rows(g.ctx(), w.table, index))) {
        return dequantized_by_rows(g, weight);
    }
    ggml_tensor * columns = ggml_new_tensor_2d(g.ctx(), GGML_TYPE_F32, weight->ne[0], 256);
    if (g.runs(ggml_mul_mat(g.ctx(), w.table, columns))) { return dequantized_by_product(g, weight); }
    return cast;
}

}
