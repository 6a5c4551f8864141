#pragma once

#include "autodiff/engine/gradients.h"
#include "cpu/kernels/host-op.h"

#include <ggml.h>

#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace llamatune {

// A forward graph during fusion. A pass finds its groups of nodes, replaces the last node of each by one of our kernels
// (the nodes that use it stay), gives it a rule in `g`, and drops the others.
class fusion {
public:
    // `nodes`: in execution order. `result` is read from outside of the graph.
    fusion(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result, tensor_arena & ctx, host_ops & ops,
           gradients & g);

    const std::vector<ggml_tensor *> & nodes() const { return nodes_; }
    tensor_arena & ctx() const { return ctx_; }
    host_ops & ops() const { return ops_; }
    gradients & g() const { return g_; }

    // The number of nodes that read t, counting a view of it as one; the graph's result has one more reader.
    int uses(const ggml_tensor * t) const;
    // Whether t has this op, is still in the graph, and has one reader.
    bool only_for_one(const ggml_tensor * t, ggml_op op) const;
    void drop(const ggml_tensor * t) { dropped_.insert(t); }

    // The nodes that were not dropped, in order.
    std::vector<ggml_tensor *> remaining() const;

private:
    std::vector<ggml_tensor *> nodes_;
    tensor_arena & ctx_;
    host_ops & ops_;
    gradients & g_;
    std::unordered_map<const ggml_tensor *, int> uses_;
    std::unordered_set<const ggml_tensor *> dropped_;
};

// Runs all passes; see accelerator.h.
std::vector<ggml_tensor *> fuse(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result,
                                tensor_arena & ctx, host_ops & ops, gradients & g);

}
