#pragma once

#include <ggml.h>

#include <cstdint>

namespace llamatune {

// Quantized weights in ggml's layout for AMX, which its CPU back end uses when a model is loaded for inference (buffer
// type "AMX"): tiles of 16 rows and one block of columns, with four values of each row next to each other. ggml uses
// the layout for single tokens; here, products of many tokens read it.

// Whether the weight is in such a buffer, in tiles or, for types without a tile layout, in plain rows.
bool in_tiles_buffer(const ggml_tensor * weight);
// Whether it is there in tiles that pack_tiles() can read.
bool is_tiled(const ggml_tensor * weight);
bool reads_tiles(); // whether this build has pack_tiles()

// Rows [row, row + 64) and columns [column, column + count) of the weight as one block of 64 columns of the packed
// layout (see gemm.h): columns of the weight become its rows. `row` and `count` are whole tiles.
void pack_tiles(const ggml_tensor * weight, int64_t row, int64_t column, int64_t count, uint16_t * out);

}
