#pragma once

// A BERT with random weights, and its forward pass by the formulas of the paper (arXiv 1810.04805), in double
// precision.

#include <cstdint>
#include <string>
#include <vector>

namespace tiny_bert {

// The pooling type of the metadata, by llama.cpp's numbers.
enum pooling_type : uint32_t { mean = 1, cls = 2, rank = 4 };

// The path of the model in the test cache, written on first use.
std::string path(pooling_type pooling);

// The last hidden states of a text: [n_tokens][n_embd].
std::vector<std::vector<float>> hidden_states(const std::vector<int32_t> & tokens);

}
