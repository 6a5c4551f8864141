#include "cpu/kernels/norm.h"

#include "cpu/kernels/rope.h"
#include "cpu/kernels/rows.h"
#include "cpu/kernels/vector-math.h"

#include <cmath>
#include <cstring>

namespace llamatune {

namespace {

constexpr int64_t lanes = vector_lanes;

// Σ x²
float square(const float * __restrict x, int64_t n) {
    float sums[lanes] = {};
    const int64_t whole = n / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) {
        for (int64_t j = 0; j < lanes; j++) sums[j] += x[i + j] * x[i + j];
    }
    for (int64_t i = whole; i < n; i++) sums[i - whole] += x[i] * x[i];
    return sum_of_lanes(sums);
}

// Σ x dy gain
float along(const float * __restrict x, const float * __restrict dy, const float * __restrict gain, int64_t n) {
    float sums[lanes] = {};
    const int64_t whole = n / lanes * lanes;
    if (gain) {
        for (int64_t i = 0; i < whole; i += lanes) {
            for (int64_t j = 0; j < lanes; j++) sums[j] += x[i + j] * dy[i + j] * gain[i + j];
        }
        for (int64_t i = whole; i < n; i++) sums[i - whole] += x[i] * dy[i] * gain[i];
    } else {
        for (int64_t i = 0; i < whole; i += lanes) {
            for (int64_t j = 0; j < lanes; j++) sums[j] += x[i + j] * dy[i + j];
        }
        for (int64_t i = whole; i < n; i++) sums[i - whole] += x[i] * dy[i];
    }
    return sum_of_lanes(sums);
}

float inverse_root(const float * x, int64_t n, float epsilon) {
    return 1.0f / std::sqrt(square(x, n) / float(n) + epsilon);
}

void forward(const float * __restrict x, const float * __restrict gain, int64_t n, float epsilon,
             float * __restrict y) {
    const float r = inverse_root(x, n, epsilon);
    if (gain) {
        for (int64_t i = 0; i < n; i++) y[i] = x[i] * r * gain[i];
    } else {
        for (int64_t i = 0; i < n; i++) y[i] = x[i] * r;
    }
}

// With u = dy gain and r the inverse root:  dx = r u - x r³ mean(x u)
void backward(const float * __restrict x, const float * __restrict gain, const float * __restrict dy,
              const float * __restrict other, int64_t n, float epsilon, float * __restrict dx) {
    const float r = inverse_root(x, n, epsilon);
    const float c = r * r * r * (along(x, dy, gain, n) / float(n));
    if (gain && other) {
        for (int64_t i = 0; i < n; i++) dx[i] = other[i] + (r * dy[i] * gain[i] - c * x[i]);
    } else if (gain) {
        for (int64_t i = 0; i < n; i++) dx[i] = r * dy[i] * gain[i] - c * x[i];
    } else if (other) {
        for (int64_t i = 0; i < n; i++) dx[i] = other[i] + (r * dy[i] - c * x[i]);
    } else {
        for (int64_t i = 0; i < n; i++) dx[i] = r * dy[i] - c * x[i];
    }
}

// The row of the gain for a row of the result: the gain is broadcast.
const float * gain_row(const ggml_tensor * gain, int64_t i1, int64_t i2, int64_t i3) {
    return gain ? row_of(gain, i1 % gain->ne[1], i2 % gain->ne[2], i3 % gain->ne[3]) : nullptr;
}

}

void rms_norm(const norm_parameters & p, ggml_tensor * node, executor & exec) {
    const ggml_tensor * x = node->src[norm_x];
    const ggml_tensor * gain = node->src[norm_gain];
    const ggml_tensor * angles = node->src[norm_angles];
    const rotation r{x->ne[0], p.n_rotated, p.neox, false};
    for_rows(exec, node, [&](int64_t i1, int64_t i2, int64_t i3) {
        float straight[most_rotated_row];
        float * y = row_of(node, i1, i2, i3);
        forward(row_of(x, i1, i2, i3), gain_row(gain, i1, i2, i3), x->ne[0], p.epsilon, angles ? straight : y);
        if (angles) rotate_row(r, straight, row_of(angles, i2, 0, 0), y);
    });
}

void rms_norm_back(const norm_parameters & p, ggml_tensor * node, executor & exec) {
    const ggml_tensor * x = node->src[norm_x];
    const ggml_tensor * gain = node->src[norm_gain];
    const ggml_tensor * angles = node->src[norm_angles];
    const ggml_tensor * dy = node->src[norm_dy];
    const ggml_tensor * other = node->src[norm_other];
    const rotation r{x->ne[0], p.n_rotated, p.neox, true};
    for_rows(exec, node, [&](int64_t i1, int64_t i2, int64_t i3) {
        float straight[most_rotated_row];
        const float * d = row_of(dy, i1, i2, i3);
        if (angles) rotate_row(r, d, row_of(angles, i2, 0, 0), straight);
        backward(row_of(x, i1, i2, i3), gain_row(gain, i1, i2, i3), angles ? straight : d,
                 other ? row_of(other, i1, i2, i3) : nullptr, x->ne[0], p.epsilon, row_of(node, i1, i2, i3));
    });
}

void rms_norm_gain_back(const norm_parameters & p, ggml_tensor * node, executor & exec) {
    const ggml_tensor * x = node->src[norm_x];
    const ggml_tensor * dy = node->src[norm_dy];
    const int64_t n = x->ne[0], n_rows = ggml_nrows(x);
    // The number of pieces does not depend on the number of threads, and sums are added in order: results are
    // reproducible.
    const int64_t n_pieces = std::min<int64_t>(16, n_rows), step = (n_rows + n_pieces - 1) / n_pieces;
    float * sums = exec.shared_scratch(0).get<float>(n_pieces * n);
    exec.run(n_pieces, [&](int64_t piece, int) {
        float * __restrict sum = sums + piece * n;
        std::memset(sum, 0, size_t(n) * sizeof(float));
        for (int64_t row = piece * step; row < std::min(n_rows, (piece + 1) * step); row++) {
            const int64_t i1 = row % x->ne[1], i2 = row / x->ne[1] % x->ne[2], i3 = row / x->ne[1] / x->ne[2];
            const float * __restrict xs = row_of(x, i1, i2, i3);
            const float * __restrict dys = row_of(dy, i1, i2, i3);
            const float r = inverse_root(xs, n, p.epsilon);
            for (int64_t i = 0; i < n; i++) sum[i] += xs[i] * r * dys[i];
        }
    });
    float * __restrict out = static_cast<float *>(node->data);
    std::memcpy(out, sums, size_t(n) * sizeof(float));
    for (int64_t piece = 1; piece < n_pieces; piece++) {
        const float * __restrict sum = sums + piece * n;
        for (int64_t i = 0; i < n; i++) out[i] += sum[i];
    }
}

}
