#include "train/step-state.h"

#include "autodiff/engine/backward.h"
#include "autodiff/engine/preflight.h"
#include "autodiff/engine/recompute.h"
#include "backends/backend-name.h"
#include "core/error.h"
#include "core/join.h"
#include "cpu/accelerator.h"
#include "graph/fold-scale.h"
#include "loss/chunk-columns.h"

#include <algorithm>

namespace llamatune {

namespace {

ggml_backend_buffer_ptr allocate(ggml_context * ctx, ggml_backend_buffer_type_t type, const char * what) {
    ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors_from_buft(ctx, type)};
    if (!buffer) {
        throw error("OUT_OF_MEMORY", std::string("out of memory allocating ") + what,
                    "Lower sequenceLength or microBatchSize.");
    }
    return buffer;
}

// Does one of these nodes multiply with a weight in host memory?
bool multiplies_on_host(const std::vector<ggml_tensor *> & nodes) {
    return std::any_of(nodes.begin(), nodes.end(), [](const ggml_tensor * node) {
        const ggml_tensor * weight = node->src[0];
        return (node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_MUL_MAT_ID) && weight->buffer &&
               ggml_backend_buffer_is_host(weight->buffer);
    });
}

// Does a previous backend use the same buffer type? They then share one buffer, whose size each of them reports.
bool shares_buffer(ggml_backend_sched_t scheduler, int index) {
    const auto type = [&](int i) {
        return ggml_backend_sched_get_buffer_type(scheduler, ggml_backend_sched_get_backend(scheduler, i));
    };
    for (int i = 0; i < index; i++) {
        if (type(i) == type(index)) return true;
    }
    return false;
}

}

void step::state::build_kept() {
    for (ggml_context_ptr * ctx : {&kept_ctx, &kept_gradient_ctx})
        ctx->reset(ggml_init({2 * ggml_tensor_overhead(), nullptr, true}));
    const int64_t n_embd = graph->hidden()->ne[0], n_tokens = graph->shape().n_tokens();
    hidden = ggml_new_tensor_2d(kept_ctx.get(), GGML_TYPE_F32, n_embd, n_tokens + 1);
    dhidden = ggml_new_tensor_2d(kept_gradient_ctx.get(), GGML_TYPE_F32, n_embd, n_tokens + 1);
    unscale = ggml_new_tensor_1d(kept_ctx.get(), GGML_TYPE_F32, 1);
    ggml_set_name(hidden, "hidden");
    ggml_set_name(dhidden, "dhidden");
    kept_buffer = allocate(kept_ctx.get(), devices.output_buffer_type(), "the hidden states");
    // a separate buffer, because every device can clear a whole buffer
    kept_gradient_buffer =
        allocate(kept_gradient_ctx.get(), devices.output_buffer_type(), "the gradient of the hidden states");
    ggml_backend_buffer_clear(kept_buffer.get(), 0);
    bytes += ggml_backend_buffer_get_size(kept_buffer.get()) + ggml_backend_buffer_get_size(kept_gradient_buffer.get());
}

void step::state::prepare(ggml_backend_sched_ptr & scheduler, const graph_builder & nodes, ggml_cgraph * built,
                          const char * what) {
    devices.set_precision(built);
    scheduler = devices.new_scheduler(nodes.size());
    if (!options.allocate) {
        std::vector<size_t> sizes(devices.devices().size());
        ggml_backend_sched_reserve_size(scheduler.get(), built, sizes.data());
        for (int i = 0; i < int(sizes.size()); i++) {
            if (!shares_buffer(scheduler.get(), i)) bytes += sizes[size_t(i)];
        }
        return;
    }
    allocate_graph(scheduler.get(), built, what);
    for (int i = 0; i < ggml_backend_sched_get_n_backends(scheduler.get()); i++) {
        bytes +=
            ggml_backend_sched_get_buffer_size(scheduler.get(), ggml_backend_sched_get_backend(scheduler.get(), i));
    }
}

// Kernels of the CPU accelerator need tensors in host memory.
bool step::state::on_host() const { return options.gradient.rules == rule_mode::automatic && devices.on_host(); }

bool step::state::scales_loss() const { return !on_host() && (devices.on_host() || devices.rounds_to_f16()); }

bool step::state::has_accelerator() const {
    const auto & all = devices.devices();
    return std::find(all.begin(), all.end(), accelerator_device()) != all.end();
}

// Throws if a parameter has no gradient: its weight may match a target although llama.cpp's graph does not read its
// pair, or it may only feed a selection of keys or experts.
void step::state::require_reached(const parameter_set & parameters) const {
    std::string missing, selecting;
    for (const parameter & p : parameters.all()) {
        std::string & names = read.count(p.value) ? selecting : missing;
        if (!reached.count(p.value)) append_to(names, p.name);
    }
    std::string reasons;
    if (!missing.empty()) append_to(reasons, "the model's graph does not read " + missing, "; ");
    if (!selecting.empty()) append_to(reasons, "a non-differentiable selection is all that uses " + selecting, "; ");
    if (reasons.empty()) { return; }
    throw error("TARGET_UNSUPPORTED", "cannot train some targets: " + reasons,
                "Leave them out of lora.targets; 'all-linear' selects every linear layer that can be trained.");
}

void step::state::note_reached(const gradients & g, const std::vector<ggml_tensor *> & nodes) {
    for (const ggml_tensor * node : nodes) {
        if (g.wants(node)) reached.insert(std::begin(node->src), std::end(node->src));
    }
}

void step::state::build_chunk(const parameter_set * parameters, gradients & trunk_gradients,
                              std::vector<std::string> & without_rule) {
    const int64_t n_tokens = graph->shape().n_tokens();
    // the width of the logits is only known once the head is built
    tensor_arena probe;
    const forward::head probed = graph->build_head(probe, ggml_new_tensor_2d(probe, GGML_TYPE_F32, hidden->ne[0], 1));
    const int64_t n_vocab = probed.logits->ne[0];
    columns = loss_chunk_columns(n_vocab, n_tokens, options.loss_budget_bytes, options.loss->n_logits(on_host()));

    chunk_input_ctx.reset(ggml_init({8 * ggml_tensor_overhead(), nullptr, true}));
    rows = ggml_new_tensor_1d(chunk_input_ctx.get(), GGML_TYPE_I32, columns);
    targets = ggml_new_tensor_2d(chunk_input_ctx.get(), GGML_TYPE_I32, 1, columns);
    weights = ggml_new_tensor_2d(chunk_input_ctx.get(), GGML_TYPE_F32, 1, columns);
    losses = ggml_new_tensor_1d(chunk_input_ctx.get(), GGML_TYPE_F32, columns);
    metric_names = options.loss->metric_names();
    for (const std::string & name : metric_names) metric_sums[name] = 0;
    metrics = metric_names.empty()
                  ? nullptr
                  : ggml_new_tensor_2d(chunk_input_ctx.get(), GGML_TYPE_F32, columns, int64_t(metric_names.size()));
    for (ggml_tensor * t : {rows, targets, weights, losses, metrics}) {
        if (t) ggml_set_input(t);
    }
    chunk_inputs = allocate(chunk_input_ctx.get(), devices.output_buffer_type(), "the targets");

    tensor_arena & ctx = chunk_nodes.ctx();
    ggml_tensor * x = ggml_get_rows(ctx, hidden, rows); // [n_embd, columns]
    const forward::head head = graph->build_head(ctx, x);
    for (const ggml_tensor * node : head.nodes) read.insert(std::begin(node->src), std::end(node->src));

    gradient_options of_chunk = options.gradient;
    of_chunk.multiplies_on_host = multiplies_on_host(head.nodes);
    gradients g(chunk_nodes, devices.devices(), of_chunk);
    if (options.with_backward) {
        if (parameters) {
            for (const parameter & p : parameters->all()) {
                g.want(p.value);
                g.accumulate_into(p.value, p.gradient);
            }
        }
        if (scales_loss()) g.unscale_by(unscale);
        if (trunk_gradients.wants(graph->hidden())) g.want(x);
        mark_gradient_path(g, head.nodes, head.logits);
        note_reached(g, head.nodes);
        without_rule = ops_without_rule(g, head.nodes);
        if (!without_rule.empty()) return;
    }
    const bool needs_gradient = options.with_backward && g.wants(head.logits);
    const loss_chunk inputs{x,       head.logits,    targets,   weights,           losses,
                            metrics, needs_gradient, on_host(), options.evaluation};
    const loss_gradients gradient = options.loss->build(ctx, inputs, [&](ggml_tensor * node) { g.run(node); });
    if (needs_gradient) {
        if (gradient.logits) g.add(head.logits, gradient.logits);
        if (gradient.hidden) g.add(x, gradient.hidden);
        run_backward(g, head.nodes);
        if (ggml_tensor * dx = g.of(x)) { g.run(ggml_set_rows(ctx, dhidden, g.contiguous(dx), rows)); }
    }
    chunk = chunk_nodes.finish();
    prepare(chunk_scheduler, chunk_nodes, chunk, "a chunk of logits");
}

step::step(std::unique_ptr<forward> graph, const compute & devices, const parameter_set * parameters,
           const step_options & options)
    : state_(new state{std::move(graph), devices, options}) {
    state & s = *state_;
    const auto is_remote = [](ggml_backend_dev_t device) { return backend_of(device) == "rpc"; };
    s.options.gradient.only_common_ops = std::any_of(devices.devices().begin(), devices.devices().end(), is_remote);
    s.build_kept();
    std::vector<ggml_tensor *> nodes = s.graph->nodes();
    s.options.gradient.multiplies_on_host = multiplies_on_host(nodes);
    if (devices.multiplies_as_asked()) scale_before_products(s.trunk_nodes.ctx(), nodes, s.graph->hidden());
    tensor_arena & ctx = s.trunk_nodes.ctx();

    const int64_t n_embd = s.hidden->ne[0], n_tokens = s.graph->shape().n_tokens();
    const auto tokens_of = [&](ggml_tensor * t) { return ggml_view_2d(ctx, t, n_embd, n_tokens, t->nb[1], 0); };
    gradients g(s.trunk_nodes, devices.devices(), s.options.gradient);
    if (options.with_backward && parameters) {
        for (const ggml_tensor * node : nodes) s.read.insert(std::begin(node->src), std::end(node->src));
        for (const parameter & p : parameters->all()) {
            g.want(p.value);
            g.accumulate_into(p.value, p.gradient);
        }
        if (s.scales_loss()) g.unscale_by(s.unscale);
    }
    if (s.on_host() && s.has_accelerator()) {
        const fused_graph fused = fuse(nodes, s.graph->hidden(), g);
        nodes = fused.nodes;
        s.kernels = fused.kernels;
    }
    s.boundary = ggml_cpy(ctx, s.graph->hidden(), tokens_of(s.hidden));
    for (ggml_tensor * node : nodes) {
        g.run(node); // in llama.cpp's order
    }
    g.run(s.boundary);

    std::vector<std::string> without_rule;
    if (options.with_backward && parameters) {
        mark_gradient_path(g, nodes, s.graph->hidden());
        s.note_reached(g, nodes);
        without_rule = ops_without_rule(g, nodes);
    }
    std::vector<std::string> head_without_rule;
    s.build_chunk(parameters, g, head_without_rule);
    without_rule.insert(without_rule.end(), head_without_rule.begin(), head_without_rule.end());
    require_no_missing(without_rule, {}, "this model");
    if (options.with_backward && parameters) { s.require_reached(*parameters); }

    if (options.with_backward && g.wants(s.graph->hidden())) {
        ggml_tensor * dhidden = tokens_of(s.dhidden);
        if (!devices.on_host()) {
            // The loss's graph writes this tensor while the trunk waits at the boundary. Devices may reorder nodes, so
            // the boundary is made a source of the copy, which does not read it.
            dhidden = ggml_cont(ctx, dhidden);
            dhidden->src[1] = s.boundary;
        }
        g.add(s.graph->hidden(), dhidden);
        run_backward(g, nodes, options.recompute ? find_cuts(nodes, s.graph->hidden()) : std::vector<size_t>());
    }
    s.trunk = s.trunk_nodes.finish();
    std::vector<std::string> without_device = ops_without_device(s.trunk, devices.devices());
    for (const std::string & name : ops_without_device(s.chunk, devices.devices())) without_device.push_back(name);
    require_no_missing({}, without_device, "this model");
    s.prepare(s.trunk_scheduler, s.trunk_nodes, s.trunk, "forward and backward");
    if (options.with_backward) {
        ggml_backend_sched_set_eval_callback(s.trunk_scheduler.get(), state::at_boundary, &s);
    }
    if (options.profile) { ggml_backend_sched_set_eval_callback(s.chunk_scheduler.get(), state::on_chunk_node, &s); }
}

}
