#pragma once

#include "core/tensor-arena.h"

#include <unordered_set>
#include <vector>

namespace llamatune {

// Collects tensors in an order in which they can be computed, each once.
class node_order {
public:
    // Appends `t` after everything it is computed from, depth first from left to right, as ggml's graphs do.
    void add(ggml_tensor * t);

    // Leaves out `t` and the tensors that only `t` is computed from.
    void skip(const ggml_tensor * t) { seen_.insert(t); }

    const std::vector<ggml_tensor *> & tensors() const { return tensors_; } // weights and inputs included

private:
    std::unordered_set<const ggml_tensor *> seen_;
    std::vector<ggml_tensor *> tensors_;
};

// A graph that grows while it is built, and the tensors made for it.
class graph_builder {
public:
    tensor_arena & ctx() { return arena_; }

    void expand(ggml_tensor * t) { order_.add(t); }

    // The number of nodes, weights and inputs that were added.
    size_t size() const { return order_.tensors().size(); }

    // Makes a graph of exactly the size of what was added. It lives as long as this builder.
    ggml_cgraph * finish();

private:
    tensor_arena arena_;
    node_order order_;
    ggml_context_ptr graph_;
};

}
