#include "autodiff/gradient-size.h"

#include "autodiff/recurrence.h"
#include "autodiff/scan-segment.h"

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
size_t of_segments(const ggml_tensor * tokens, const ggml_tensor * state, int64_t numbers, size_t own, size_t halving, size_t chunk) {
    const int64_t n_seqs = state->ne[1], n_t = tokens->ne[2] / n_seqs;
    size_t most = 100;
    for (int64_t first = 0; first < n_t;) {
        const int64_t n = tokens_at_once(numbers * n_seqs, n_t - first);
        most += own + chunk * size_t((n + 15) / 16);
        for (int64_t half = n; half > 1; half /= 2) most += halving;
        first += n;
    }
    return most;
}

}

size_t tensors_of_gradient(const ggml_tensor * node) {
    const ggml_tensor * tokens = node->src[0];
    const int64_t a_row = tokens ? tokens->ne[0] * tokens->ne[1] : 0;
    switch (node->op) {
        case GGML_OP_SSM_SCAN:          return of_scan(node);
        case GGML_OP_GATED_LINEAR_ATTN: return of_segments(tokens, node->src[4], a_row * tokens->ne[0], 160, 30, 0);
        case GGML_OP_RWKV_WKV6:         return of_segments(tokens, node->src[5], a_row * tokens->ne[0], 160, 30, 0);
        case GGML_OP_RWKV_WKV7:         return of_segments(tokens, node->src[6], a_row * 16, 450, 0, 130);
        default:                        return 0;
    }
}

}
