#pragma once

#include "core/tensor-arena.h"

#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace llamatune {

// Copies a part of a graph into another context, with some of its tensors replaced. Leaves (weights, inputs) are
// shared. What the original did in place is done out of place: a backward pass reads every forward result.
class cloner {
public:
    explicit cloner(tensor_arena & ctx) : ctx_(ctx) {}

    // `to` must have the shape of `from`.
    void replace(const ggml_tensor * from, ggml_tensor * to) { copy_[from] = to; }

    // What stands for a weight or input that the graph reads; asked once for each, when the first copy needs it.
    void on_leaf(std::function<ggml_tensor *(ggml_tensor *)> leaf) { leaf_ = std::move(leaf); }

    // A node made for a replacement, so that nodes() has it.
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
    std::unordered_map<const ggml_tensor *, ggml_tensor *> copy_;
    std::vector<ggml_tensor *> nodes_;
    std::function<ggml_tensor *(ggml_tensor *)> leaf_;
};

}
