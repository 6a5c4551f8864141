#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>

namespace llamatune {

// Converts rows of any type that ggml can dequantize to F32 or bfloat16 (rounded to nearest even), on the calling
// thread. Rows are `row_bytes` apart in `source`; the result is dense.
void rows_to_f32(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows, float * out);
void rows_to_bf16(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows,
                  uint16_t * out);

}
