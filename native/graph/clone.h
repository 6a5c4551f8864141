#pragma once

#include "core/graph-builder.h"

#include <functional>
#include <unordered_map>
#include <vector>

namespace llamatune {

// Copies a part of a graph with some tensors replaced. Leaves (weights, inputs) are shared. In-place nodes get separate
// memory, since a backward pass reads every forward result.
class cloner {
public:
    explicit cloner(tensor_arena & ctx) : ctx_(ctx) {}

    // Replaces a tensor; `to` must have the shape of `from`.
    void replace(const ggml_tensor * from, ggml_tensor * to) {
        copy_[from] = to;
        order_.skip(from);
    }

    // Sets a function that replaces leaves. It is called once for each leaf that the copied part reads, on first use.
    void on_leaf(std::function<ggml_tensor *(ggml_tensor *)> leaf) { leaf_ = std::move(leaf); }

    // Adds a node that was made for a replacement to nodes().
    ggml_tensor * append(ggml_tensor * node) {
        nodes_.push_back(node);
        return node;
    }

    // Copies `node` and everything it is computed from, and returns the copy of `node`.
    ggml_tensor * operator()(ggml_tensor * node);

    // The copies made so far, in execution order.
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
