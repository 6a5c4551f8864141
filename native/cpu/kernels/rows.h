#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <algorithm>

namespace llamatune {

// Row (i1, i2, i3) of an F32 tensor with dense rows.
inline float * row_of(const ggml_tensor * t, int64_t i1, int64_t i2, int64_t i3) {
    return reinterpret_cast<float *>(static_cast<char *>(t->data) + size_t(i1) * t->nb[1] + size_t(i2) * t->nb[2] +
                                     size_t(i3) * t->nb[3]);
}

inline bool has_dense_f32_rows(const ggml_tensor * t) { return t->type == GGML_TYPE_F32 && t->nb[0] == sizeof(float); }

// Calls work(i1, i2, i3) for every row of `t` on all threads, in pieces of about 128 KB.
template <typename Work>
void for_rows(executor & exec, const ggml_tensor * t, const Work & work) {
    const int64_t n_rows = t->ne[1] * t->ne[2] * t->ne[3];
    const int64_t step = std::max<int64_t>(1, (128 << 10) / (t->ne[0] * int64_t(sizeof(float))));
    exec.run((n_rows + step - 1) / step, [&](int64_t piece, int) {
        const int64_t end = std::min(n_rows, (piece + 1) * step);
        for (int64_t row = piece * step; row < end; row++) {
            work(row % t->ne[1], row / t->ne[1] % t->ne[2], row / t->ne[1] / t->ne[2]);
        }
    });
}

}
