#pragma once

#include "autodiff/engine/gradients.h"
#include "cpu/kernels/host-op.h"

#include <ggml.h>

#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace llamatune {

// A forward graph in which groups of nodes become one node each, computed by a kernel of our own. A pass looks for its
// group, turns the group's last node (whose users stay) into that kernel, gives it a rule in `g`, and drops the others.
// For devices whose memory the CPU reads; elsewhere the graph stays llama.cpp's.
class fusion {
public:
    // `nodes`: in the order in which they run. `result` is read from outside of the graph.
    fusion(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result, tensor_arena & ctx, host_ops & ops,
           gradients & g);

    const std::vector<ggml_tensor *> & nodes() const { return nodes_; }
    tensor_arena & ctx() const { return ctx_; }
    host_ops & ops() const { return ops_; }
    gradients & g() const { return g_; }

    // How many nodes read t, views of it included as one; the graph's result counts as read once more.
    int uses(const ggml_tensor * t) const;
    // Of op `op`, still in the graph, and read once.
    bool only_for_one(const ggml_tensor * t, ggml_op op) const;
    void drop(const ggml_tensor * t) { dropped_.insert(t); }

    // What remains, in order.
    std::vector<ggml_tensor *> remaining() const;

private:
    std::vector<ggml_tensor *> nodes_;
    tensor_arena & ctx_;
    host_ops & ops_;
    gradients & g_;
    std::unordered_map<const ggml_tensor *, int> uses_;
    std::unordered_set<const ggml_tensor *> dropped_;
};

// All passes. Before mark_gradient_path(): trained tensors must be wanted in `g` already.
std::vector<ggml_tensor *> fuse(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result,
                                tensor_arena & ctx, host_ops & ops, gradients & g);

}
