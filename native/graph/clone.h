#pragma once

#include "core/graph-builder.h"

#include <functional>
#include <unordered_map>
#include <vector>

namespace llamatune {

// Copies a part of a graph, with some of its tensors replaced. Leaves (weights, inputs) are shared. Nodes that work in
// place get memory of their own, since a backward pass reads every forward result.
class cloner {
public:
    explicit cloner(tensor_arena & ctx) : ctx_(ctx) {}

    // `to` must have the shape of `from`.
    void replace(const ggml_tensor * from, ggml_tensor * to) {
        copy_[from] = to;
        order_.skip(from);
    }

    // Replaces weights and inputs: called once for each that the copied part reads, when it is first needed.
    void on_leaf(std::function<ggml_tensor *(ggml_tensor *)> leaf) { leaf_ = std::move(leaf); }

    // Adds a node that was made for a replacement to nodes().
    ggml_tensor * append(ggml_tensor * node) {
        nodes_.push_back(node);
        return node;
    }

    // The copy of `node` and of everything it needs.
    ggml_tensor * operator()(ggml_tensor * node);

    // The copies made so far, in an order in which they can run.
    const std::vector<ggml_tensor *> & nodes() const { return nodes_; }

private:
    ggml_tensor * copy_one(ggml_tensor * node);

    tensor_arena & ctx_;
    node_order order_; // of the originals
    std::unordered_map<const ggml_tensor *, ggml_tensor *> copy_;
    std::vector<ggml_tensor *> nodes_;
    std::function<ggml_tensor *(ggml_tensor *)> leaf_;
};

}
