#pragma once

#include "core/graph-builder.h"

#include <ggml-backend.h>
#include <ggml.h>

#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace llamatune {

// How rules may express a gradient: `automatic` uses a fused *_BACK op if every device runs it, `composed` uses
// primitives only. Tests use `composed` on devices that have the fused ops.
enum class rule_mode { automatic, composed };

struct gradient_options {
    rule_mode rules = rule_mode::automatic;
    // The size in F32 of the slices in which large weights are dequantized and long sequences are scanned. Smaller
    // slices need less memory and more nodes. 0: 32 MB, more on GPUs that are asked for a matmul type.
    int64_t slice_bytes = 0;
    // Set if a device cannot tell which ops it runs (an RPC server). Rules then rely on products only, which every back
    // end runs.
    bool only_common_ops = false;
    // Set if the CPU multiplies some weights of a model whose other layers are on GPUs.
    bool multiplies_on_host = false;
};

class gradients;
// Adds the gradients of a node's sources, given the gradient of its result (contiguous).
using node_rule = std::function<void(gradients & g, ggml_tensor * node, ggml_tensor * dy)>;

// The backward graph while it is built. A gradient rule reads the forward node and the gradient of its result, and adds
// the gradients of its sources here. Every gradient is F32, for tensors of any type.
class gradients {
public:
    // `graph` receives the backward nodes in the order in which rules emit them: that order decides peak memory.
    gradients(graph_builder & graph, std::vector<ggml_backend_dev_t> devices, const gradient_options & options = {});

    // The context of new tensors, which rules pass to ggml's functions.
    tensor_arena & ctx() const { return graph_.ctx(); }

    int64_t slice_bytes() const { return options_.slice_bytes; }

    // Does a gradient flow through this tensor? Rules skip the sources for which it does not.
    bool wants(const ggml_tensor * t) const { return t && wanted_.count(t) > 0; }
    void want(const ggml_tensor * t) { wanted_.insert(t); }
    void unwant(const ggml_tensor * t) { wanted_.erase(t); }

    // The gradient added so far, or null.
    ggml_tensor * of(const ggml_tensor * t) const;
    // Returns and removes it, for a rule whose node adds to it and that passes the sum to add().
    ggml_tensor * take(const ggml_tensor * t);

    // d(t) += dy. Shapes must be equal; any layout.
    void add(ggml_tensor * t, ggml_tensor * dy);
    // d(t)[strided window] += dy: the window is given in bytes of a contiguous F32 tensor of t's shape.
    void add_window(ggml_tensor * t, ggml_tensor * dy, size_t nb1, size_t nb2, size_t nb3, size_t offset);

    // For rules whose kernel adds to its destination. unshared() returns the gradient so far if it is not also the
    // gradient of another tensor, so that it may be overwritten, else null. set_unshared() replaces it by `dy`, a
    // tensor made for t alone.
    ggml_tensor * unshared(const ggml_tensor * t) const;
    void set_unshared(ggml_tensor * t, ggml_tensor * dy);

    // Sets the persistent accumulator of a trained tensor: its gradient is added there and kept after the graph's run.
    void accumulate_into(const ggml_tensor * parameter, ggml_tensor * accumulator) {
        accumulators_[parameter] = accumulator;
    }

    // For gradients that are scaled (loss scaling): each is multiplied by `factor`, F32 [1], before it is accumulated.
    void unscale_by(ggml_tensor * factor) { unscale_ = factor; }

    // The accumulator of a trained tensor, or null; for kernels that write to it themselves.
    ggml_tensor * accumulator(const ggml_tensor * t) const {
        const auto found = accumulators_.find(t);
        return found == accumulators_.end() ? nullptr : found->second;
    }

    // Sets the rule of one fused node, which takes precedence over the table. The rule may be called with a copy of the
    // node (engine/recompute) whose sources are copies too. So the rule and the node's kernel must find every tensor of
    // the graph through the node they are given, never through captured pointers. A copy runs only if it is a source of
    // a node of the backward part, so a node that reads a second result of the kernel must also have the fused node as
    // a source.
    void set_rule(const ggml_tensor * node, node_rule rule) { node_rules_[node] = std::move(rule); }
    const node_rule * node_rule_of(const ggml_tensor * node) const {
        const auto found = node_rules_.find(node);
        return found == node_rules_.end() ? nullptr : &found->second;
    }

    // Appends the node to the graph now: for nodes with side effects, or to free memory early.
    void run(ggml_tensor * node) { graph_.expand(node); }

    // May the rule use this fused node? (It is built but not yet in the graph; if not, it is dropped.)
    bool allows(const ggml_tensor * fused) const;

    // Do all devices except accelerators run this node?
    bool runs(const ggml_tensor * node) const;

    // Is this product of transposed or quantized factors (OUT_PROD) faster than its composed form? Accelerators
    // (devices of type ACCEL) and GPUs that multiply in a type of our choice (core/matmul-type) read such factors as
    // they are.
    bool accelerated(const ggml_tensor * product) const;

    // Building blocks that rules share.
    ggml_tensor * contiguous(ggml_tensor * t); // t, copied only if its layout or alignment requires it
    ggml_tensor * transposed(ggml_tensor * t); // contiguous [ne1, ne0, ne2, ne3]
    ggml_tensor * as_f32(ggml_tensor * t);     // dequantized or converted when needed
    ggml_tensor * filled(float value, int64_t ne0, int64_t ne1 = 1, int64_t ne2 = 1, int64_t ne3 = 1); // F32
    ggml_tensor * zeros(const ggml_tensor * shape);                   // F32 zeros of that shape
    ggml_tensor * sum_to(ggml_tensor * t, const ggml_tensor * shape); // undoes a broadcast from `shape`
    ggml_tensor * mean_rows(ggml_tensor * t);                         // [1, ne1, ne2, ne3]
    ggml_tensor * one_minus(ggml_tensor * t);

private:
    ggml_tensor * unscaled(ggml_tensor * dy);

    graph_builder & graph_;
    std::vector<ggml_backend_dev_t> devices_;
    gradient_options options_;
    size_t alignment_ = 1;
    ggml_tensor * unscale_ = nullptr;

    std::unordered_set<const ggml_tensor *> wanted_;
    std::unordered_map<const ggml_tensor *, ggml_tensor *> gradient_;
    std::unordered_map<const ggml_tensor *, ggml_tensor *> unshared_; // sums that are the gradient of one tensor only
    std::unordered_map<const ggml_tensor *, ggml_tensor *> accumulators_;
    std::unordered_map<const ggml_tensor *, node_rule> node_rules_;
};

}
