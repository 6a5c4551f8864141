#pragma once

#include "graph/forward.h"

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace llamatune {

// The tensors that a graph and its head read, including weights and inputs, and those among them that a gradient of the
// loss reaches when `trained` is trained.
struct read_tensors {
    std::unordered_set<const ggml_tensor *> all, with_gradient;
};
read_tensors tensors_read(const forward & graph, const std::vector<const ggml_tensor *> & trained,
                          const compute & devices);

// The matrices of a model that could be targets, by how the graph uses a LoRA pair on them.
struct linear_targets {
    std::vector<std::string> trainable; // a gradient reaches the pair
    std::vector<std::string> selecting; // the pair only feeds a selection of keys or experts, which has no gradient
    std::vector<std::string> unread;    // the graph does not read a pair on this weight
};

// Finds the names of the weights, ordered by block and name. Builds the graph without allocating it.
// Throws error GRAPH_UNSUPPORTED, OUT_OF_MEMORY.
linear_targets find_linear_targets(const std::shared_ptr<model> & base, const batch_shape & shape);

// An entry of lora.targets: every linear layer that can be trained, except the output matrix, stacked experts (a pair
// per expert often has a hundred times as many numbers as the rest of the adapter) and routers.
constexpr const char * all_linear = "all-linear";

// Replaces "all-linear" in `entries` by names of weights.
std::vector<std::string> expand_targets(const std::vector<std::string> & entries, const std::shared_ptr<model> & base,
                                        const batch_shape & shape);

}
