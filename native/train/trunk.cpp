#include "train/trunk.h"

#include "autodiff/engine/backward.h"
#include "autodiff/engine/preflight.h"
#include "autodiff/engine/recompute.h"
#include "cpu/accelerator.h"
#include "graph/fold-scale.h"

#include <algorithm>
#include <utility>

namespace llamatune {

namespace {

bool has_accelerator(const compute & devices) {
    const auto & all = devices.devices();
    return std::find(all.begin(), all.end(), accelerator_device()) != all.end();
}

// The columns of the tokens of this shape.
ggml_tensor * tokens_of(tensor_arena & ctx, ggml_tensor * t, const batch_shape & shape) {
    return ggml_view_2d(ctx, t, t->ne[0], shape.n_tokens(), t->nb[1], 0);
}

}

trunk::trunk(std::unique_ptr<forward> graph, const step_context & context) : forward_(std::move(graph)) {
    std::vector<ggml_tensor *> nodes = forward_->nodes();
    tensor_arena & ctx = nodes_.ctx();
    gradients g(nodes_, context.devices().devices(), context.gradient_options_of(nodes));
    findings_.note_read(nodes);
    context.want_parameters(g);
    if (context.devices().multiplies_as_asked()) scale_before_products(ctx, nodes, forward_->hidden());
    if (context.on_host() && has_accelerator(context.devices())) {
        const fused_graph fused = fuse(nodes, forward_->hidden(), g);
        nodes = fused.nodes;
        kernels_ = fused.kernels;
    }
    boundary_ = ggml_cpy(ctx, forward_->hidden(), tokens_of(ctx, context.hidden(), shape()));
    for (ggml_tensor * node : nodes) {
        g.run(node); // in llama.cpp's order
    }
    g.run(boundary_);
    if (context.parameters()) add_backward(g, nodes, context);
    ggml_cgraph * built = nodes_.finish();
    findings_.without_device = ops_without_device(built, context.devices().devices());
    context.devices().set_precision(built);
    graph_.emplace(built, "forward and backward");
}

void trunk::add_backward(gradients & g, const std::vector<ggml_tensor *> & nodes, const step_context & context) {
    ggml_tensor * hidden = forward_->hidden();
    mark_gradient_path(g, nodes, hidden);
    findings_.note_gradients(g, nodes);
    needs_dhidden_ = g.wants(hidden);
    if (!needs_dhidden_ || !findings_.without_rule.empty()) return;
    tensor_arena & ctx = nodes_.ctx();
    ggml_tensor * dhidden = tokens_of(ctx, context.dhidden(), shape());
    if (!context.devices().on_host()) {
        // The loss's graph writes this tensor while the trunk waits at the boundary. Devices may reorder nodes, so
        // the boundary is made a source of the copy, which does not read it.
        dhidden = ggml_cont(ctx, dhidden);
        dhidden->src[1] = boundary_;
    }
    g.add(hidden, dhidden);
    if (context.options().load_balance > 0) {
        balance_ = std::make_unique<load_balance>(nodes, shape().n_tokens(), context.devices());
        balance_->add_gradients(g, boundary_, context.devices().on_host());
    }
    run_backward(g, nodes, context.options().recompute ? find_cuts(nodes, hidden) : std::vector<size_t>());
}

}
