#pragma once

#include "core/graph-builder.h"

#include <ggml-backend.h>
#include <ggml.h>

#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace llamatune {

// How rules may express a gradient: with a fused *_BACK op where every device runs it, or from primitives only.
// `composed` exists so that the primitive path is tested on devices that have the fused one.
enum class rule_mode { automatic, composed };

struct gradient_options {
    rule_mode rules = rule_mode::automatic;
    // The size of the parts in which large weights are dequantized and long sequences are scanned, as F32. Smaller
    // parts need less memory and more nodes.
    int64_t slice_bytes = 32ll << 20;
};

class gradients;
// Adds to the gradients of a node's sources, given that of its result (contiguous).
using node_rule = std::function<void(gradients & g, ggml_tensor * node, ggml_tensor * dy)>;

// The growing backward graph. A gradient rule reads the forward node and the gradient of its result, and adds the
// gradients of its sources here. Every gradient is F32, whatever the type of the tensor it belongs to.
class gradients {
public:
    // `graph` receives the backward nodes in the order in which rules emit them: that order decides peak memory.
    gradients(graph_builder & graph, std::vector<ggml_backend_dev_t> devices, const gradient_options & options = {});

    // For new tensors. Rules pass it to ggml's functions as their context.
    tensor_arena & ctx() const { return graph_.ctx(); }

    int64_t slice_bytes() const { return options_.slice_bytes; }

    // Does a gradient flow through this tensor? Rules skip the sources for which it does not.
    bool wants(const ggml_tensor * t) const { return t && wanted_.count(t) > 0; }
    void want(const ggml_tensor * t) { wanted_.insert(t); }
    void unwant(const ggml_tensor * t) { wanted_.erase(t); }

    // The gradient gathered so far, or null.
    ggml_tensor * of(const ggml_tensor * t) const;
    // The same, no longer kept here: for a rule that adds to it in its own node and hands the sum to add().
    ggml_tensor * take(const ggml_tensor * t);

    // d(t) += dy. Shapes must be equal; any layout.
    void add(ggml_tensor * t, ggml_tensor * dy);
    // d(t)[strided window] += dy: the window is given in bytes of a contiguous F32 tensor of t's shape.
    void add_window(ggml_tensor * t, ggml_tensor * dy, size_t nb1, size_t nb2, size_t nb3, size_t offset);

    // For rules whose kernel can add to what is there: the gradient so far when it is t's alone, so that it may be
    // written over, else null; and the sum that takes its place, or the first part, a tensor made for t alone.
    ggml_tensor * own(const ggml_tensor * t) const;
    void set_own(ggml_tensor * t, ggml_tensor * dy);

    // Persistent accumulator of a trained tensor: its gradient is summed here and survives the graph's run.
    void accumulate_into(const ggml_tensor * parameter, ggml_tensor * accumulator) {
        accumulators_[parameter] = accumulator;
    }

    // All gradients are too large by some factor: what reaches an accumulator is multiplied by this number, an F32 [1].
    void unscale_by(ggml_tensor * factor) { unscale_ = factor; }

    // Where the gradient of a trained tensor is summed, or null: for nodes that write there themselves.
    ggml_tensor * accumulator(const ggml_tensor * t) const {
        const auto found = accumulators_.find(t);
        return found == accumulators_.end() ? nullptr : found->second;
    }

    // A rule for one node, before the table's: of nodes that stand for several. It may be run on a clone of the node in
    // its place (autodiff/recompute), whose sources may be clones too: it, and the node's kernel, must find every
    // tensor of the graph through the node it is given, never through captured pointers. A clone runs only where a node
    // of the backward part has it among its sources, so what reads something that the node's kernel writes beside its
    // result must have the node itself as a source as well.
    void set_rule(const ggml_tensor * node, node_rule rule) { own_rules_[node] = std::move(rule); }
    const node_rule * own_rule(const ggml_tensor * node) const {
        const auto found = own_rules_.find(node);
        return found == own_rules_.end() ? nullptr : &found->second;
    }

    // The graph's next node: for what is run for its effect.
    void run(ggml_tensor * node) { graph_.expand(node); }

    // May the rule use this fused node? (Built but not yet in the graph; dropped when the answer is no.)
    bool allows(const ggml_tensor * fused) const;

    // Does every device run this node? (As above; an accelerator need not.)
    bool runs(const ggml_tensor * node) const;

    // Is this node one that an accelerator for products (a device of type ACCEL) was made for? Then it beats the
    // composition even where that would run as well.
    bool accelerated(const ggml_tensor * product) const;

    // Building blocks that several rules share.
    ggml_tensor * contiguous(ggml_tensor * t);      // t, copied only when its layout or its place needs it
    ggml_tensor * transposed(ggml_tensor * t);      // contiguous [ne1, ne0, ne2, ne3]
    ggml_tensor * as_f32(ggml_tensor * t);          // dequantized or converted when needed
    ggml_tensor * zeros(const ggml_tensor * shape); // F32 zeros of that shape
    ggml_tensor * sum_to(ggml_tensor * t, const ggml_tensor * shape); // undo a broadcast from `shape`
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
    std::unordered_map<const ggml_tensor *, ggml_tensor *> own_; // sums that no other tensor has as its gradient
    std::unordered_map<const ggml_tensor *, ggml_tensor *> accumulators_;
    std::unordered_map<const ggml_tensor *, node_rule> own_rules_;
};

}
