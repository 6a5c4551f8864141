#include "cpu/kernels/glu.h"

#include "cpu/kernels/rows.h"
#include "cpu/kernels/vector-math.h"

namespace llamatune {

namespace {

struct value_and_slope {
    float value, slope;
};

// gelu(x) = x (1 + tanh(u)) / 2 = x sigmoid(2u),  u = √(2/π)(x + 0.044715 x³)
constexpr float gelu_c = 0.79788456080286535588f, gelu_k = 0.044715f;

template <glu_kind kind>
inline value_and_slope activation(float x) {
    if constexpr (kind == glu_kind::swiglu) {
        const float s = vector_sigmoid(x), y = x * s;
        return {y, s + y * (1.0f - s)};
    } else if constexpr (kind == glu_kind::geglu) {
        const float s = vector_sigmoid(2.0f * gelu_c * x * (1.0f + gelu_k * x * x)), y = x * s;
        return {y, s + 2.0f * gelu_c * y * (1.0f - s) * (1.0f + 3.0f * gelu_k * x * x)};
    } else {
        return {x > 0.0f ? x : 0.0f, x > 0.0f ? 1.0f : 0.0f};
    }
}

template <glu_kind kind>
void forward(const float * __restrict x, const float * __restrict gate, int64_t n, float * __restrict y) {
    for (int64_t i = 0; i < n; i++) y[i] = activation<kind>(x[i]).value * gate[i];
}

template <glu_kind kind>
void backward(const float * __restrict dy, const float * __restrict x, const float * __restrict gate, int64_t n,
              float * __restrict dx, float * __restrict dgate) {
    for (int64_t i = 0; i < n; i++) {
        const value_and_slope a = activation<kind>(x[i]);
        dx[i] = dy[i] * gate[i] * a.slope;
        dgate[i] = dy[i] * a.value;
    }
}

template <glu_kind kind>
void run_forward(bool swapped, ggml_tensor * node, executor & exec) {
    const ggml_tensor * x = node->src[0];
    const ggml_tensor * gate = node->src[1];
    const int64_t n = node->ne[0];
    for_rows(exec, node, [&](int64_t i1, int64_t i2, int64_t i3) {
        const float * first = row_of(x, i1, i2, i3);
        const float * second = gate ? row_of(gate, i1, i2, i3) : first + n;
        forward<kind>(swapped ? second : first, swapped ? first : second, n, row_of(node, i1, i2, i3));
    });
}

template <glu_kind kind>
void run_backward(bool swapped, ggml_tensor * node, executor & exec) {
    const ggml_tensor * dy = node->src[0];
    const ggml_tensor * x = node->src[1];
    const ggml_tensor * gate = node->src[2];
    const int64_t n = dy->ne[0], n_rows = dy->ne[1] * dy->ne[2] * dy->ne[3];
    float * out = static_cast<float *>(node->data);
    for_rows(exec, dy, [&](int64_t i1, int64_t i2, int64_t i3) {
        const int64_t row = (i3 * dy->ne[2] + i2) * dy->ne[1] + i1;
        const float * first = row_of(x, i1, i2, i3);
        const float * second = gate ? row_of(gate, i1, i2, i3) : first + n;
        float * d_first = out + row * (gate ? n : 2 * n);
        float * d_second = d_first + (gate ? n_rows * n : n);
        backward<kind>(row_of(dy, i1, i2, i3), swapped ? second : first, swapped ? first : second, n,
                       swapped ? d_second : d_first, swapped ? d_first : d_second);
    });
}

}

void glu(glu_kind kind, bool swapped, ggml_tensor * node, executor & exec) {
    switch (kind) {
    case glu_kind::swiglu: return run_forward<glu_kind::swiglu>(swapped, node, exec);
    case glu_kind::geglu: return run_forward<glu_kind::geglu>(swapped, node, exec);
    case glu_kind::reglu: return run_forward<glu_kind::reglu>(swapped, node, exec);
    }
}

void glu_back(glu_kind kind, bool swapped, ggml_tensor * node, executor & exec) {
    switch (kind) {
    case glu_kind::swiglu: return run_backward<glu_kind::swiglu>(swapped, node, exec);
    case glu_kind::geglu: return run_backward<glu_kind::geglu>(swapped, node, exec);
    case glu_kind::reglu: return run_backward<glu_kind::reglu>(swapped, node, exec);
    }
}

}
