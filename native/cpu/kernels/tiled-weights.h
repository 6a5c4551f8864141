#pragma once

#include <ggml.h>

#include <cstdint>

namespace llamatune {

// Quantized weights in the order that ggml's CPU back end gives them for AMX when a model is loaded for inference (its
// buffer type "AMX"): tiles of 16 rows and one block of columns, four values of each row side by side. One token is
// fastest in that order; products of many tokens read it here.

// Whether the weight lies in such a buffer, in tiles or, where its type has none, in plain rows.
bool in_tiles_buffer(const ggml_tensor * weight);
// Whether it lies there in tiles, and pack_tiles() can read them.
bool is_tiled(const ggml_tensor * weight);
bool reads_tiles(); // of this build; false where the CPU has no such order

// Rows [row, row + 64) and columns [column, column + count) of the weight as one block of 64 columns of the packed
// layout (see gemm.h): columns of the weight become its rows. `row` and `count` are whole tiles.
void pack_tiles(const ggml_tensor * weight, int64_t row, int64_t column, int64_t count, uint16_t * out);

}
