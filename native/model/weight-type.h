#pragma once

#include <ggml.h>

#include <cstdint>
#include <string>

namespace llamatune {

// How the matrices of a model file are stored: one ggml type ("F32", "Q8_0", "Q4_K"), or a mix that gives more bits to
// the matrices that need them most ("Q4_K_M"). Names are llama.cpp's, case-insensitive.
struct weight_type {
    std::string name;
    ggml_type base;    // of most matrices
    ggml_type finer;   // in a mix: of the value and down projections in some layers; else the same as base
    ggml_type ends;    // in a mix: of the token embeddings and the output projection; else the same as base
    int32_t file_type; // llama.cpp's llama_ftype; -1 where it has none
};

// Throws error UNKNOWN_WEIGHT_TYPE, listing the names.
weight_type parse_weight_type(const std::string & name);

// The type itself if rows of this length can be stored in it, else the nearest that can, by llama.cpp's own rule
// (K-quants need multiples of 256, most others of 32).
ggml_type fitting_type(ggml_type type, int64_t row_length);

// Which layers get `finer`: the first and last eighth, and every third between, as in llama.cpp's mixes.
bool is_fine_layer(int64_t layer, int64_t n_layers);

}
