#include "autodiff/rules/scatter-rows.h"

#include <cstring>

namespace llamatune::rules {

namespace {

// Is each row of this view a part of a row of its source?
bool is_part_of_rows(const ggml_tensor * view) {
    const ggml_tensor * source = view->src[0];
    size_t offset;
    std::memcpy(&offset, view->op_params, sizeof(offset));
    for (int i = 0; i < GGML_MAX_DIMS; i++) {
        if (view->ne[i] > 1 && view->nb[i] != source->nb[i]) return false;
    }
    return offset % source->nb[1] + size_t(view->ne[0]) * view->nb[0] <= size_t(source->ne[0]) * source->nb[0];
}

// Do these row numbers come from a sort? Then none of them is repeated.
bool are_distinct(const ggml_tensor * rows) {
    while (rows) {
        if (rows->op == GGML_OP_ARGSORT || rows->op == GGML_OP_TOP_K) return true;
        const bool copied = rows->op == GGML_OP_CONT && ggml_are_same_shape(rows, rows->src[0]);
        if (!copied && !(rows->op == GGML_OP_VIEW && is_part_of_rows(rows))) return false;
        rows = rows->src[0];
    }
    return false;
}

}

ggml_tensor * scatter_rows(gradients & g, ggml_tensor * dy, ggml_tensor * rows, int64_t n_rows) {
    tensor_arena & ctx = g.ctx();
    const int64_t k = dy->ne[0], n = dy->ne[1], n_batch = dy->ne[2] * dy->ne[3];
    if (are_distinct(rows)) { return ggml_set_rows(ctx, g.filled(0.0f, k, n_rows, dy->ne[2], dy->ne[3]), dy, rows); }
    // If rows may repeat, multiply with a one-hot table of the row numbers.
    if (dy->ne[3] > 1) rows = g.contiguous(rows);
    ggml_tensor * indices = ggml_view_3d(ctx, rows, 1, n, n_batch, rows->nb[0], rows->nb[1], 0);
    ggml_tensor * ones =
        ggml_set_rows(ctx, g.filled(0.0f, 1, n_rows, n, n_batch), g.filled(1.0f, 1, 1, n, n_batch), indices);
    ggml_tensor * table =
        ggml_mul_mat(ctx, g.transposed(ggml_reshape_3d(ctx, g.contiguous(dy), k, n, n_batch)),
                     g.transposed(ggml_reshape_3d(ctx, ones, n_rows, n, n_batch))); // [k, n_rows, n_batch]
    return ggml_reshape_4d(ctx, table, k, n_rows, dy->ne[2], dy->ne[3]);
}

}
