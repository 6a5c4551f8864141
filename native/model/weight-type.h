#pragma once

#include <ggml.h>

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

// How the matrices of a model file are stored: one ggml type ("F32", "Q8_0", "Q4_K"), or a mix that gives more bits to
// the matrices that need them most ("Q4_K_M"). Names are llama.cpp's, case-insensitive.
struct weight_type {
    std::string name;
    ggml_type base;      // of most matrices
    ggml_type finer;     // of the value and down projections in some layers of a mix; else the same as base
    ggml_type embedding; // of the token embeddings and the output projection in a mix; else the same as base
    int32_t file_type;   // llama.cpp's llama_ftype; -1 if it has none
};

std::vector<std::string> weight_type_names();

// Throws error UNKNOWN_WEIGHT_TYPE, listing the names.
weight_type parse_weight_type(const std::string & name);

// The llama_ftype of a whole model. Throws error UNKNOWN_WEIGHT_TYPE, also for a type that only single weights have.
int32_t file_type_of(const std::string & name);

// Returns the type itself if rows of this length can be stored in it, else the nearest type that can, by llama.cpp's
// rule (K-quants need multiples of 256, most other types of 32).
ggml_type fitting_type(ggml_type type, int64_t row_length);

// Does a layer of a mix use `finer`? As in llama.cpp: the first and the last eighth do, and every third layer between.
bool is_fine_layer(int64_t layer, int64_t n_layers);

}
