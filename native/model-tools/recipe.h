#pragma once

#include "gguf/writer.h"
#include "model-tools/create.h"

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

// The weights of a model. To add an architecture, add a row to the tables of recipe.cpp, after its file in llama.cpp's
// src/models.
std::vector<weight_recipe> list_recipes(const create_options & options, int64_t n_vocab);

// The hyperparameters under llama.cpp's keys.
void write_hyperparameters(gguf_writer & writer, const create_options & options);

// Throws error UNSUPPORTED_ARCHITECTURE.
void check_architecture(const std::string & architecture);

// Whether its feed-forward block is a mixture of experts.
bool has_experts(const std::string & architecture);

}
