#pragma once

#include "graph/forward.h"

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace llamatune {

// What a graph and its head read, weights and inputs among it, and what of it a gradient of the loss reaches when
// `trained` is trained.
struct read_tensors {
    std::unordered_set<const ggml_tensor *> all, with_gradient;
};
read_tensors tensors_read(const forward & graph, const std::vector<const ggml_tensor *> & trained,
                          const compute & devices);

// The matrices of a model that could be targets, by what the graph for a batch of this shape makes of a LoRA pair on
// them.
struct linear_targets {
    std::vector<std::string> trainable; // a gradient reaches the pair
    std::vector<std::string> selecting; // the pair only takes part in a choice of keys or experts: it has no gradient
    std::vector<std::string> unread;    // the graph does not look for a pair there
};

// Names of weights, by block and name. Builds the graph, allocates nothing of it.
// Throws error GRAPH_UNSUPPORTED, OUT_OF_MEMORY.
linear_targets find_linear_targets(const std::shared_ptr<model> & base, const batch_shape & shape);

// An entry of lora.targets: every linear layer that can be trained, but for the output matrix, stacked experts (a pair
// for each of them: often more numbers than the rest of the adapter a hundred times over) and what chooses among them.
constexpr const char * all_linear = "all-linear";

// `entries` with "all-linear" replaced by names of weights.
std::vector<std::string> expand_targets(const std::vector<std::string> & entries, const std::shared_ptr<model> & base,
                                        const batch_shape & shape);

}
