#pragma once

#include "model/load.h"

#include <cstdint>
#include <string>
#include <vector>

struct ggml_tensor;

namespace llamatune {

struct tensor_info {
    std::string name;
    std::string type;           // "F32", "Q4_K", …
    std::vector<int64_t> shape; // ggml order: shape[0] is the contiguous dimension
    uint64_t bytes;
};

template <class V>
void fields(V & v, tensor_info & t) {
    v("name", t.name);
    v("type", t.type);
    v("shape", t.shape);
    v("bytes", t.bytes);
}

// A loaded weight by its GGUF name ("blk.0.attn_q.weight"); nullptr where the model has none.
ggml_tensor * find_weight(const model & m, const std::string & name);

// All weights in file order, each once.
std::vector<ggml_tensor *> list_weights(const model & m);
std::vector<tensor_info> list_tensors(const model & m);
uint64_t total_bytes(const model & m);

// "attn_q" for "blk.3.attn_q.weight", "output" for "output.weight" where this weight is the matrix of a linear layer
// (or a stack of expert matrices), so that it can get a LoRA pair; empty for all others (norms, biases, embeddings,
// convolutions).
std::string target_kind(const ggml_tensor * weight);

// ggml's type names in capitals, as they are usually written.
std::string type_name(const ggml_tensor * weight);

}
