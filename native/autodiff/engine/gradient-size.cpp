#include "autodiff/engine/gradient-size.h"

#include "autodiff/scan/recurrence.h"
#include "autodiff/scan/scan-segment.h"

#include <algorithm>

namespace llamatune {

namespace {

size_t of_scan(const ggml_tensor * scan) {
    const int64_t n_t = scan->src[1]->ne[2];
    size_t most = 100;
    for (int64_t first = 0; first < n_t;) {
        const int64_t n = segment_length(scan, n_t - first, 0);
        if (scan->src[3]->ne[0] == 1) {
            most += 300 + 30 * size_t((n + 63) / 64);
        } else {
            most += 160;
            for (int64_t half = n; half > 1; half /= 2) most += 30;
        }
        first += n;
    }
    return most;
}

// numbers: of the largest tensor, for each token; then a segment's own tensors, and what each halving or chunk adds
size_t of_segments(int64_t n_t, int64_t n_seqs, int64_t numbers, size_t own, size_t halving, size_t chunk,
                   int64_t chunk_tokens = 16) {
    size_t most = 100;
    for (int64_t first = 0; first < n_t;) {
        const int64_t n = tokens_at_once(numbers * n_seqs, n_t - first);
        most += own + chunk * size_t((n + chunk_tokens - 1) / chunk_tokens);
        for (int64_t half = n; half > 1; half /= 2) most += halving;
        first += n;
    }
    return most;
}

// Slices of a weight, each dequantized, transposed and multiplied in the way that takes the most tensors.
size_t of_slices(int64_t rows, int64_t row_bytes, int64_t slice_bytes, int64_t most) {
    constexpr size_t for_each = 32;
    int64_t at_once = std::max<int64_t>(1, slice_bytes / row_bytes);
    if (at_once > 256) at_once = at_once / 256 * 256;
    return for_each * size_t(std::min(most, (rows + at_once - 1) / at_once));
}

}

size_t tensors_of_gradient(const ggml_tensor * node) {
    const ggml_tensor * w = node->src[0];
    if (node->op == GGML_OP_MUL_MAT) {
        return of_slices(w->ne[1], w->ne[0] * int64_t(sizeof(float)), weight_slice_bytes, w->ne[1]);
    }
    if (node->op == GGML_OP_MUL_MAT_ID) {
        // towards the input, and towards experts that are trained: by slices of tokens
        return 2 * of_slices(w->ne[1], w->ne[0] * w->ne[2] * int64_t(sizeof(float)), expert_slice_bytes, most_slices) +
               16 * most_slices;
    }
    if (node->op == GGML_OP_SSM_SCAN) { return of_scan(node); }
    if (node->op == GGML_OP_GATED_DELTA_NET) {
        const ggml_tensor * v = node->src[2];
        const bool alike = node->src[3]->ne[0] == 1;
        return of_segments(v->ne[2], v->ne[3], (alike ? 4 : 16) * v->ne[0] * v->ne[1], 500, 0, 130, alike ? 64 : 16);
    }
    const int state = node->op == GGML_OP_GATED_LINEAR_ATTN ? 4
                      : node->op == GGML_OP_RWKV_WKV6       ? 5
                      : node->op == GGML_OP_RWKV_WKV7       ? 6
                                                            : -1;
    if (state < 0) { return 0; }
    const ggml_tensor * tokens = node->src[0];
    const int64_t n_seqs = node->src[state]->ne[1], n_t = tokens->ne[2] / n_seqs, row = tokens->ne[0] * tokens->ne[1];
    return state == 6 ? of_segments(n_t, n_seqs, row * 16, 450, 0, 130)
                      : of_segments(n_t, n_seqs, row * tokens->ne[0], 160, 30, 0);
}

}
