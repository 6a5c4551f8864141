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

// Finds a loaded weight by its GGUF name ("blk.0.attn_q.weight"); nullptr if the model has no such weight.
ggml_tensor * find_weight(const model & m, const std::string & name);

// Lists all weights in file order, each once.
std::vector<ggml_tensor *> list_weights(const model & m);
std::vector<tensor_info> list_tensors(const model & m);
uint64_t total_bytes(const model & m);
uint64_t host_bytes(const model & m); // of the weights in the memory of this process

// Identifies the values of the weights: a hash of their names, types, shapes and a sample of their bytes, so that it is
// fast for models of any size. It does not depend on the devices.
uint64_t sampled_hash(const model & m);

// Returns the kind of a weight that can get a LoRA pair, because it is the matrix of a linear layer or a stack of
// expert matrices: "attn_q" for "blk.3.attn_q.weight", "output" for "output.weight". Empty for all other weights
// (norms, biases, embeddings, convolutions).
std::string target_kind(const ggml_tensor * weight);

// Returns ggml's type name in capitals, as it is usually written.
std::string type_name(const ggml_tensor * weight);

}
