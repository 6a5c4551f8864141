#include "cpu/kernels/rope.h"

#include "cpu/kernels/rows.h"

#include <cmath>
#include <cstring>

namespace llamatune {

bool rope_parameters::operator==(const rope_parameters & o) const {
    return n_dims == o.n_dims && original_context == o.original_context && base == o.base && scale == o.scale &&
           extrapolation == o.extrapolation && magnitude == o.magnitude && beta_fast == o.beta_fast &&
           beta_slow == o.beta_slow;
}

rope_parameters rope_parameters_of(const ggml_tensor * node) {
    const auto number = [&](int i) {
        float value;
        std::memcpy(&value, node->op_params + i, sizeof(value));
        return value;
    };
    return {node->op_params[1], node->op_params[4], number(5), number(6), number(7), number(8), number(9), number(10)};
}

// The same steps in the same precision as ggml: the error of its angles grows with the position, and ours must be
// equal.
void rope_angles(const rope_parameters & p, ggml_tensor * node, executor & exec) {
    const int32_t * positions = static_cast<const int32_t *>(node->src[0]->data);
    const float * factors = node->src[1] ? static_cast<const float *>(node->src[1]->data) : nullptr;
    const float ratio = std::pow(p.base, -2.0f / float(p.n_dims));
    // YaRN (2309.00071): high frequencies extrapolate, low ones are scaled, a ramp between the two dimensions
    float ramp[2];
    ggml_rope_yarn_corr_dims(p.n_dims, p.original_context, p.base, p.beta_fast, p.beta_slow, ramp);
    const float magnitude =
        p.extrapolation != 0.0f ? p.magnitude * (1.0f + 0.1f * std::log(1.0f / p.scale)) : p.magnitude;
    const int64_t half = p.n_dims / 2;
    for_rows(exec, node, [&](int64_t i1, int64_t, int64_t) {
        float * cosines = row_of(node, i1, 0, 0);
        float * sines = cosines + half;
        float angle = float(positions[i1]);
        for (int64_t i = 0; i < half; i++) {
            const float extrapolated = factors ? angle / factors[i] : angle;
            float theta = p.scale * extrapolated;
            if (p.extrapolation != 0.0f) {
                const float along = (float(i) - ramp[0]) / std::max(0.001f, ramp[1] - ramp[0]);
                const float mix = (1.0f - std::min(1.0f, std::max(0.0f, along))) * p.extrapolation;
                theta = theta * (1.0f - mix) + extrapolated * mix;
            }
            cosines[i] = std::cos(theta) * magnitude;
            sines[i] = std::sin(theta) * magnitude;
            angle *= ratio;
        }
    });
}

void rotate_row(const rotation & r, const float * __restrict x, const float * __restrict angles, float * __restrict y) {
    const int64_t half = r.n_dims / 2;
    const float * __restrict sines = angles + half;
    const float sign = r.back ? -1.0f : 1.0f;
    if (r.neox) {
        for (int64_t i = 0; i < half; i++) {
            const float c = angles[i], s = sign * sines[i], a = x[i], b = x[i + half];
            y[i] = a * c - b * s;
            y[i + half] = a * s + b * c;
        }
    } else {
        for (int64_t i = 0; i < half; i++) {
            const float c = angles[i], s = sign * sines[i], a = x[2 * i], b = x[2 * i + 1];
            y[2 * i] = a * c - b * s;
            y[2 * i + 1] = a * s + b * c;
        }
    }
    std::memcpy(y + r.n_dims, x + r.n_dims, size_t(r.n - r.n_dims) * sizeof(float));
}

void rope(const rotation & r, ggml_tensor * node, executor & exec) {
    const ggml_tensor * x = node->src[0];
    const ggml_tensor * angles = node->src[1];
    for_rows(exec, node, [&](int64_t i1, int64_t i2, int64_t i3) {
        rotate_row(r, row_of(x, i1, i2, i3), row_of(angles, i2, 0, 0), row_of(node, i1, i2, i3));
    });
}

}
