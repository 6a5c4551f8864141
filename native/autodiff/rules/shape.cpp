#include "autodiff/rules/families.h"
#include "autodiff/rules/scatter-rows.h"
#include "core/error.h"

#include <algorithm>
#include <cstring>

namespace llamatune::rules {

namespace {

void reshape(gradients & g, ggml_tensor * node, ggml_tensor * dy) { g.add(node->src[0], dy); }

void view(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    // The window is given in bytes of memory. If the source is contiguous, its gradient has the same layout. Else the
    // whole chain of views is undone at once, down to the tensor that owns the memory.
    ggml_tensor * base = node->src[0];
    size_t offset = 0;
    if (ggml_is_contiguous(base)) {
        std::memcpy(&offset, node->op_params, sizeof(offset));
    } else {
        base = node->view_src;
        offset = node->view_offs;
    }
    const size_t unit = ggml_type_size(base->type);
    if (ggml_nelements(node) == ggml_nelements(base) && ggml_is_contiguous(node) && ggml_is_contiguous(base)) {
        g.add(base, dy);
        return;
    }
    if (!ggml_is_contiguous(base) || node->nb[0] != unit || ggml_blck_size(base->type) != 1) {
        throw error("UNSUPPORTED_OP", std::string("cannot differentiate the view ") + node->name + " of " + base->name +
                                          ": its rows, or the tensor, are not dense in memory");
    }
    // Backends find the window's elements by dividing by the strides, so the largest must be last. The gradient is F32
    // even if the forward tensor is F16.
    int order[3] = {1, 2, 3};
    size_t stride[GGML_MAX_DIMS];
    for (int i = 1; i < GGML_MAX_DIMS; i++) {
        stride[i] = (node->ne[i] == 1 ? size_t(ggml_nelements(base)) * unit : node->nb[i]) / unit * sizeof(float);
    }
    std::stable_sort(order, order + 3, [&](int a, int b) { return stride[a] < stride[b]; });
    int axes[GGML_MAX_DIMS] = {0};
    for (int i = 0; i < 3; i++) axes[order[i]] = i + 1;
    g.add_window(base, ggml_permute(g.ctx(), dy, 0, axes[1], axes[2], axes[3]), stride[order[0]], stride[order[1]],
                 stride[order[2]], offset / unit * sizeof(float));
}

void permute(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    int axes[GGML_MAX_DIMS], inverse[GGML_MAX_DIMS];
    std::memcpy(axes, node->op_params, sizeof(axes));
    // ggml_permute: dimension i of the source becomes dimension axes[i] of the result
    for (int i = 0; i < GGML_MAX_DIMS; i++) inverse[axes[i]] = i;
    g.add(node->src[0], ggml_permute(g.ctx(), dy, inverse[0], inverse[1], inverse[2], inverse[3]));
}

void transpose(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_transpose(g.ctx(), dy));
}

void copy(gradients & g, ggml_tensor * node, ggml_tensor * dy) { g.add(node->src[0], dy); }

void repeat(gradients & g, ggml_tensor * node, ggml_tensor * dy) { g.add(node->src[0], g.sum_to(dy, node->src[0])); }

void concat(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    int32_t dim;
    std::memcpy(&dim, node->op_params, sizeof(dim));
    size_t offset = 0;
    for (int i = 0; i < 2; i++) {
        ggml_tensor * part = node->src[i];
        if (g.wants(part)) {
            g.add(part, ggml_view_4d(g.ctx(), dy, part->ne[0], part->ne[1], part->ne[2], part->ne[3], dy->nb[1],
                                     dy->nb[2], dy->nb[3], offset));
        }
        offset += part->ne[dim] * dy->nb[dim];
    }
}

void get_rows(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * table = node->src[0]; // [k, n_rows, batch…]
    ggml_tensor * rows = node->src[1];  // I32 [n, batch…], may repeat
    if (!g.wants(table)) { return; }
    if (ggml_is_matrix(table) && ggml_is_vector(rows)) {
        if (ggml_tensor * fused = ggml_get_rows_back(g.ctx(), dy, rows, table); g.allows(fused)) {
            g.add(table, fused);
            return;
        }
        // One-hot tables are made for some rows at a time: a table for the whole batch would be as large as all logits.
        constexpr int64_t most_slices = 64;
        const int64_t n = rows->ne[0];
        const int64_t fitting = 2 * g.slice_bytes() / (table->ne[1] * int64_t(sizeof(float))) / 64 * 64;
        const int64_t count = std::max({int64_t(1), fitting, (n + most_slices - 1) / most_slices});
        for (int64_t first = 0; first < n; first += count) {
            const int64_t length = std::min(count, n - first);
            ggml_tensor * part = ggml_view_2d(g.ctx(), dy, dy->ne[0], length, dy->nb[1], size_t(first) * dy->nb[1]);
            ggml_tensor * indices = ggml_view_1d(g.ctx(), rows, length, size_t(first) * rows->nb[0]);
            g.add(table, scatter_rows(g, part, indices, table->ne[1]));
        }
        return;
    }
    g.add(table, scatter_rows(g, dy, rows, table->ne[1]));
}

}

rule_rows shape_rules() {
    return {
        // y is x rearranged: dx is dy in x's layout
        {GGML_OP_RESHAPE, reshape},
        {GGML_OP_VIEW, view},
        {GGML_OP_PERMUTE, permute},
        {GGML_OP_TRANSPOSE, transpose},
        {GGML_OP_CONT, copy},
        {GGML_OP_CPY, copy}, // also a change of type
        {GGML_OP_DUP, copy},
        {GGML_OP_CONCAT, concat},
        // dx = Σ dy over the repetitions
        {GGML_OP_REPEAT, repeat},
        // y_i = x[row_i]: dx[r] = Σ_{row_i = r} dy_i
        {GGML_OP_GET_ROWS, get_rows},
        // constants
        {GGML_OP_FILL, zero_gradient},
        {GGML_OP_ARANGE, zero_gradient},
    };
}

}
