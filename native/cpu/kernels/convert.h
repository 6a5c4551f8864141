#pragma once

#include <ggml.h>

#include <cstdint>
#include <cstring>

namespace llamatune {

// Rounds to nearest even; NaN stays NaN.
inline uint16_t bf16_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

// Converts rows of any type that ggml can dequantize to F32 or bfloat16 (rounded to nearest even), on the calling
// thread. Rows are `row_bytes` apart in `source`; the result is dense.
void rows_to_f32(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows, float * out);
void rows_to_bf16(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows,
                  uint16_t * out);

}
