#pragma once

#include "model-tools/create.h"

#include <gguf.h>

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

enum class weight_init { normal, residual, ones };

// One weight of a model that is being created; n_rows = 0: a vector.
struct weight_recipe {
    std::string name;
    int64_t row_length;
    int64_t n_rows;
    int64_t n_matrices; // of n_rows each: one for each expert
    weight_init init;
    int64_t layer; // -1: outside the layers
    bool ends;     // token embeddings and output projection
};

// What one architecture is made of. To add one: a row in the tables of recipe.cpp, after its file in llama.cpp's
// src/models.
std::vector<weight_recipe> list_recipes(const create_options & options, int64_t n_vocab);

// The hyperparameters under llama.cpp's keys.
void write_hyperparameters(gguf_context * gguf, const create_options & options);

// Throws error UNSUPPORTED_ARCHITECTURE.
void check_architecture(const std::string & architecture);

// Is its feed-forward block a mixture of experts?
bool has_experts(const std::string & architecture);

}
