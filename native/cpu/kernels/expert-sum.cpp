#include "cpu/kernels/expert-sum.h"

#include "cpu/kernels/rows.h"
#include "cpu/kernels/vector-math.h"

namespace llamatune {

namespace {

const float * weights_of(const ggml_tensor * weights, int64_t token) { // [n_used]
    return static_cast<const float *>(weights->data) + token * weights->ne[1];
}

float dot(const float * __restrict a, const float * __restrict b, int64_t n) {
    float lanes[vector_lanes] = {};
    int64_t i = 0;
    for (; i + vector_lanes <= n; i += vector_lanes) {
        for (int64_t j = 0; j < vector_lanes; j++) lanes[j] += a[i + j] * b[i + j];
    }
    for (; i < n; i++) lanes[0] += a[i] * b[i];
    return sum_of_lanes(lanes);
}

}

void expert_sum(const ggml_tensor * results, const ggml_tensor * weights, ggml_tensor * y, executor & exec) {
    const int64_t n = y->ne[0], n_used = results->ne[1];
    for_rows(exec, y, [&](int64_t token, int64_t, int64_t) {
        float * __restrict to = row_of(y, token, 0, 0);
        const float * w = weights_of(weights, token);
        for (int64_t slot = 0; slot < n_used; slot++) {
            const float * __restrict from = row_of(results, slot, token, 0);
            const float factor = w[slot];
            if (slot == 0) {
                for (int64_t i = 0; i < n; i++) to[i] = factor * from[i];
            } else {
                for (int64_t i = 0; i < n; i++) to[i] += factor * from[i];
            }
        }
    });
}

void expert_sum_back(const ggml_tensor * weights, const ggml_tensor * dy, ggml_tensor * d_results, executor & exec) {
    const int64_t n = dy->ne[0];
    for_rows(exec, d_results, [&](int64_t slot, int64_t token, int64_t) {
        float * __restrict to = row_of(d_results, slot, token, 0);
        const float * __restrict from = row_of(dy, token, 0, 0);
        const float factor = weights_of(weights, token)[slot];
        for (int64_t i = 0; i < n; i++) to[i] = factor * from[i];
    });
}

void expert_weights_back(const ggml_tensor * results, const ggml_tensor * dy, ggml_tensor * d_weights,
                         executor & exec) {
    for_rows(exec, results, [&](int64_t slot, int64_t token, int64_t) {
        static_cast<float *>(d_weights->data)[token * results->ne[1] + slot] =
            dot(row_of(results, slot, token, 0), row_of(dy, token, 0, 0), results->ne[0]);
    });
}

}
