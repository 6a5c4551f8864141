#include "train/loss-graph.h"

#include "autodiff/engine/backward.h"
#include "autodiff/engine/preflight.h"

#include <algorithm>
#include <iterator>

namespace llamatune {

loss_graph::loss_graph(const forward & source, const step_context & context, int64_t columns, bool needs_dhidden)
    : columns_(columns), filler_(int32_t(context.hidden()->ne[1] - 1)) {
    make_inputs(context);
    build(source, context, needs_dhidden);
    ggml_cgraph * built = nodes_.finish();
    findings_.without_device = ops_without_device(built, context.devices().devices());
    context.devices().set_precision(built);
    graph_.emplace(built, "a chunk of logits");
}

void loss_graph::make_inputs(const step_context & context) {
    input_ctx_.reset(ggml_init({8 * ggml_tensor_overhead(), nullptr, true}));
    positions_ = ggml_new_tensor_1d(input_ctx_.get(), GGML_TYPE_I32, columns_);
    targets_ = ggml_new_tensor_2d(input_ctx_.get(), GGML_TYPE_I32, 1, columns_);
    weights_ = ggml_new_tensor_2d(input_ctx_.get(), GGML_TYPE_F32, 1, columns_);
    losses_ = ggml_new_tensor_1d(input_ctx_.get(), GGML_TYPE_F32, columns_);
    const auto n_metrics = int64_t(context.options().loss->metric_names().size());
    if (n_metrics > 0) metrics_ = ggml_new_tensor_2d(input_ctx_.get(), GGML_TYPE_F32, columns_, n_metrics);
    for (ggml_tensor * t : {positions_, targets_, weights_, losses_, metrics_}) {
        if (t) ggml_set_input(t);
    }
    inputs_ = allocate_tensors(input_ctx_.get(), context.devices().output_buffer_type(), "the targets");
    position_values_.resize(size_t(columns_));
    target_values_.resize(size_t(columns_));
    weight_values_.resize(size_t(columns_));
}

void loss_graph::build(const forward & source, const step_context & context, bool needs_dhidden) {
    tensor_arena & ctx = nodes_.ctx();
    ggml_tensor * x = ggml_get_rows(ctx, context.hidden(), positions_); // [n_embd, columns]
    const forward::head head = source.build_head(ctx, x);
    findings_.note_read(head.nodes);

    gradients g(nodes_, context.devices().devices(), context.gradient_options_of(head.nodes));
    if (context.parameters()) {
        context.want_parameters(g);
        if (needs_dhidden) g.want(x);
        mark_gradient_path(g, head.nodes, head.logits);
        findings_.note_gradients(g, head.nodes);
        if (!findings_.without_rule.empty()) return;
    }
    const auto is_trained = [&](const ggml_tensor * node) {
        return std::any_of(std::begin(node->src), std::end(node->src), [&](const ggml_tensor * source) {
            return source && source != x && source->op == GGML_OP_NONE && g.wants(source);
        });
    };
    const bool trains_output = std::any_of(head.nodes.begin(), head.nodes.end(), is_trained);
    const bool needs_gradient = context.parameters() && g.wants(head.logits);
    const loss_chunk chunk{x,
                           head.logits,
                           targets_,
                           weights_,
                           losses_,
                           metrics_,
                           needs_gradient,
                           context.on_host(),
                           context.options().evaluation,
                           trains_output};
    const loss_gradients gradient = context.options().loss->build(ctx, chunk, [&](ggml_tensor * node) { g.run(node); });
    kernels_ = gradient.kernels;
    if (!needs_gradient) return;
    if (gradient.logits) g.add(head.logits, gradient.logits);
    if (gradient.hidden) g.add(x, gradient.hidden);
    run_backward(g, head.nodes);
    if (ggml_tensor * dx = g.of(x)) g.run(ggml_set_rows(ctx, context.dhidden(), g.contiguous(dx), positions_));
}

void loss_graph::set(const chunk_targets & targets, double factor) {
    for (size_t i = 0; i < size_t(columns_); i++) {
        const bool real = i < targets.n;
        position_values_[i] = real ? targets.positions[i] : filler_;
        target_values_[i] = real ? targets.tokens[i] : 0;
        weight_values_[i] = real ? float(factor * double(targets.weights[i])) : 0.0f;
    }
    ggml_backend_tensor_set(positions_, position_values_.data(), 0, ggml_nbytes(positions_));
    ggml_backend_tensor_set(targets_, target_values_.data(), 0, ggml_nbytes(targets_));
    ggml_backend_tensor_set(weights_, weight_values_.data(), 0, ggml_nbytes(weights_));
}

void loss_graph::get_losses(float * losses, size_t n) const {
    ggml_backend_tensor_get(losses_, losses, 0, n * sizeof(float));
}

void loss_graph::get_metric(size_t index, float * values, size_t n) const {
    ggml_backend_tensor_get(metrics_, values, index * metrics_->nb[1], n * sizeof(float));
}

}
