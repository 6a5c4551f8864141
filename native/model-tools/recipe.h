#pragma once

#include "gguf/writer.h"
#include "model-tools/create.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

enum class weight_init { normal, residual, ones };

// One weight of a model that is being created. It is a vector if n_rows is 0.
struct weight_recipe {
    std::string name;
    int64_t row_length;
    int64_t n_rows;
    int64_t n_matrices; // with n_rows each: one per expert, else 1
    weight_init init;
    int64_t layer;     // -1: outside the layers
    bool is_embedding; // token embeddings or output projection
};

// Lists the weights of a model. To add an architecture, add a row to the tables in recipe.cpp, following its file in
// llama.cpp's src/models.
std::vector<weight_recipe> list_recipes(const create_options & options, int64_t n_vocab);

// Writes the hyperparameters under llama.cpp's keys.
void write_hyperparameters(gguf_writer & writer, const create_options & options);

// Throws error UNSUPPORTED_ARCHITECTURE.
void check_architecture(const std::string & architecture);

// Is its feed-forward block a mixture of experts?
bool has_experts(const std::string & architecture);

}
