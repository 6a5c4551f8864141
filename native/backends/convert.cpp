#include "backends/convert.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace llamatune {

namespace {

// Written so that compilers vectorise it: round to nearest even, NaN kept quiet.
void f32_to_bf16(const float * in, uint16_t * out, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        std::memcpy(&bits, in + i, sizeof(bits));
        const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        const bool nan = (bits & 0x7fffffff) > 0x7f800000;
        out[i] = uint16_t(nan ? (bits >> 16) | 0x40 : rounded);
    }
}

}

void rows_to_f32(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows, float * out, int n_threads) {
    const ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int64_t row = 0; row < n_rows; row++) {
        const char * from = static_cast<const char *>(source) + size_t(row) * row_bytes;
        float * to = out + row * n_columns;
        if (type == GGML_TYPE_F32) {
            std::memcpy(to, from, size_t(n_columns) * sizeof(float));
        } else {
            to_float(from, to, n_columns);
        }
    }
}

void rows_to_bf16(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows, uint16_t * out, int n_threads) {
    const ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
    // a piece of a row at a time, so that the F32 in between stays in the cache
    const int64_t block = ggml_blck_size(type);
    const int64_t piece = std::max<int64_t>(block, 1024 / block * block);
    const size_t block_bytes = ggml_type_size(type);
#pragma omp parallel num_threads(n_threads)
    {
        std::vector<float> wide(static_cast<size_t>(piece));
#pragma omp for schedule(static)
        for (int64_t row = 0; row < n_rows; row++) {
            const char * from = static_cast<const char *>(source) + size_t(row) * row_bytes;
            uint16_t * to = out + row * n_columns;
            if (type == GGML_TYPE_BF16) {
                std::memcpy(to, from, size_t(n_columns) * sizeof(uint16_t));
                continue;
            }
            for (int64_t i = 0; i < n_columns; i += piece) {
                const int64_t n = std::min(piece, n_columns - i);
                if (type == GGML_TYPE_F32) {
                    f32_to_bf16(reinterpret_cast<const float *>(from) + i, to + i, n);
                } else {
                    to_float(from + size_t(i / block) * block_bytes, wide.data(), n);
                    f32_to_bf16(wide.data(), to + i, n);
                }
            }
        }
    }
}

}
