#include "train/step.h"

#include "autodiff/backward.h"
#include "autodiff/gradient-size.h"
#include "autodiff/preflight.h"
#include "autodiff/recompute.h"
#include "core/error.h"
#include "loss/host-cross-entropy.h"

#ifdef LLAMATUNE_ONEDNN
#include "fused/fuse.h"
#include "kernels/host-op.h"
#endif

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <unordered_set>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

double ms_since(clock::time_point start) { return std::chrono::duration<double, std::milli>(clock::now() - start).count(); }

bool is_view(const ggml_tensor * node) {
    return node->op == GGML_OP_VIEW || node->op == GGML_OP_RESHAPE || node->op == GGML_OP_PERMUTE || node->op == GGML_OP_TRANSPOSE;
}

ggml_backend_buffer_ptr place(ggml_context * ctx, ggml_backend_buffer_type_t type, const char * what) {
    ggml_backend_buffer_ptr buffer { ggml_backend_alloc_ctx_tensors_from_buft(ctx, type) };
    if (!buffer) {
        throw error("OUT_OF_MEMORY", std::string("expected memory for ") + what + " but received none",
                    "Lower sequenceLength or microBatchSize.");
    }
    return buffer;
}

}

// Back ends with one type of buffer have one buffer, which each of them reports as its own before it is there.
static bool shares_buffer(ggml_backend_sched_t scheduler, int index) {
    const auto type = [&](int i) { return ggml_backend_get_default_buffer_type(ggml_backend_sched_get_backend(scheduler, i)); };
    for (int i = 0; i < index; i++) {
        if (type(i) == type(index)) return true;
    }
    return false;
}

// GPUs multiply F32 matrices as F16, whose smallest number is 6e-8: a probability divided by all targets of a step would be
// lost. There, each target's gradient is this large, which leaves as much room above, and is scaled back when it is summed.
constexpr float narrow_scale = 64.0f;

struct step::state {
    std::unique_ptr<forward> graph;
    const compute &          devices;
    step_options             options;

    // What passes between the trunk and the loss, one column more than tokens: chunks are filled up with it.
    ggml_context_ptr        kept_ctx, kept_gradient_ctx;
    ggml_backend_buffer_ptr kept_buffer, kept_gradient_buffer;
    ggml_tensor *           hidden;  // [n_embd, n_tokens + 1]
    ggml_tensor *           dhidden; // [n_embd, n_tokens + 1]
    ggml_tensor *           unscale; // [1]

#ifdef LLAMATUNE_ONEDNN
    host_ops               kernels; // of the trunk's nodes
#endif
    ggml_context_ptr       trunk_ctx;
    ggml_cgraph *          trunk;
    ggml_tensor *          boundary; // the last node of the forward part
    ggml_backend_sched_ptr trunk_scheduler;

    ggml_context_ptr        chunk_input_ctx;
    ggml_backend_buffer_ptr chunk_inputs;
    int64_t                 columns;
    ggml_tensor *           rows;    // I32 [columns]
    ggml_tensor *           targets; // I32 [1, columns]
    ggml_tensor *           weights; // F32 [1, columns]
    ggml_context_ptr        chunk_ctx;
    ggml_cgraph *           chunk;
    ggml_tensor *           losses;  // F32 [columns], written by the chunk's graph
    ggml_backend_sched_ptr  chunk_scheduler;

    size_t bytes = 0;
    std::unordered_set<const ggml_tensor *> read; // every source of the trunk and the head

    // of the run in progress
    const micro_batch * batch  = nullptr;
    double              weight = 0;
    double              total  = 0;
    std::vector<float>  target_losses;
    std::vector<int32_t> row_values, target_values;
    std::vector<float>  weight_values;
    step_timing         timing;
    clock::time_point   started;
    bool                past_boundary = false;
    clock::time_point   node_started;
    std::unordered_map<std::string, profile_entry> profile;

    void build_kept();
    void build_chunk(const parameter_set * parameters, gradients & trunk_gradients, std::vector<std::string> & without_rule);
    void require_reached(const parameter_set & parameters) const;
    void tell_padding();
    void run_loss();
    static bool at_boundary(ggml_tensor * node, bool ask, void * self);
    void record(const char * part, const ggml_tensor * node);
    static bool on_chunk_node(ggml_tensor * node, bool ask, void * self);
    bool on_host() const;
    bool has_accelerator() const;
    void prepare(ggml_backend_sched_ptr & scheduler, ggml_cgraph * built, size_t capacity, const char * what);
};

void step::state::build_kept() {
    for (ggml_context_ptr * ctx : { &kept_ctx, &kept_gradient_ctx }) ctx->reset(ggml_init({ 2 * ggml_tensor_overhead(), nullptr, true }));
    const int64_t n_embd = graph->hidden()->ne[0], n_tokens = graph->shape().n_tokens();
    hidden = ggml_new_tensor_2d(kept_ctx.get(), GGML_TYPE_F32, n_embd, n_tokens + 1);
    dhidden = ggml_new_tensor_2d(kept_gradient_ctx.get(), GGML_TYPE_F32, n_embd, n_tokens + 1);
    unscale = ggml_new_tensor_1d(kept_ctx.get(), GGML_TYPE_F32, 1);
    ggml_set_name(hidden, "hidden");
    ggml_set_name(dhidden, "dhidden");
    kept_buffer = place(kept_ctx.get(), devices.output_buffer_type(), "the hidden states");
    // of its own: every device can clear a whole buffer
    kept_gradient_buffer = place(kept_gradient_ctx.get(), devices.output_buffer_type(), "the gradient of the hidden states");
    ggml_backend_buffer_clear(kept_buffer.get(), 0);
    bytes += ggml_backend_buffer_get_size(kept_buffer.get()) + ggml_backend_buffer_get_size(kept_gradient_buffer.get());
}

void step::state::prepare(ggml_backend_sched_ptr & scheduler, ggml_cgraph * built, size_t capacity, const char * what) {
    scheduler = devices.new_scheduler(capacity);
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
        bytes += ggml_backend_sched_get_buffer_size(scheduler.get(), ggml_backend_sched_get_backend(scheduler.get(), i));
    }
}

// Walks over host memory are for devices that are the CPU; a GPU keeps its tensors to itself.
bool step::state::on_host() const {
    return options.rules == rule_mode::automatic &&
        std::all_of(devices.devices().begin(), devices.devices().end(),
                    [](ggml_backend_dev_t d) { return ggml_backend_buft_is_host(ggml_backend_dev_buffer_type(d)); });
}

bool step::state::has_accelerator() const {
    return std::any_of(devices.devices().begin(), devices.devices().end(),
                       [](ggml_backend_dev_t d) { return ggml_backend_dev_type(d) == GGML_BACKEND_DEVICE_TYPE_ACCEL; });
}

// A weight may fit a target's name and yet not be read where llama.cpp would add its pair.
void step::state::require_reached(const parameter_set & parameters) const {
    std::string missing;
    for (const parameter & p : parameters.all()) {
        if (!read.count(p.value)) missing += (missing.empty() ? "" : ", ") + p.name;
    }
    if (!missing.empty()) {
        throw error("TARGET_UNSUPPORTED", "expected every trained tensor to take part in the model's graph but these do not: " + missing,
                    "Leave them out of lora.targets.");
    }
}

void step::state::build_chunk(const parameter_set * parameters, gradients & trunk_gradients, std::vector<std::string> & without_rule) {
    const int64_t n_tokens = graph->shape().n_tokens();
    // the head's width is known once it is built; a first guess from the hidden state alone would be wrong
    const ggml_context_ptr probe { ggml_init({ 256 * ggml_tensor_overhead(), nullptr, true }) };
    const int64_t n_vocab = graph->build_head(probe.get(), ggml_new_tensor_2d(probe.get(), GGML_TYPE_F32, hidden->ne[0], 1)).logits->ne[0];
    columns = loss_chunk_columns(n_vocab, n_tokens, options.loss_budget_bytes, on_host() ? 1 : 3);

    chunk_input_ctx.reset(ggml_init({ 8 * ggml_tensor_overhead(), nullptr, true }));
    rows = ggml_new_tensor_1d(chunk_input_ctx.get(), GGML_TYPE_I32, columns);
    targets = ggml_new_tensor_2d(chunk_input_ctx.get(), GGML_TYPE_I32, 1, columns);
    weights = ggml_new_tensor_2d(chunk_input_ctx.get(), GGML_TYPE_F32, 1, columns);
    losses = ggml_new_tensor_1d(chunk_input_ctx.get(), GGML_TYPE_F32, columns);
    for (ggml_tensor * t : { rows, targets, weights, losses }) ggml_set_input(t);
    chunk_inputs = place(chunk_input_ctx.get(), devices.host_buffer_type(), "the targets");

    constexpr size_t capacity = 4096;
    chunk_ctx.reset(ggml_init({ capacity * ggml_tensor_overhead() + ggml_graph_overhead_custom(capacity, false), nullptr, true }));
    ggml_context * ctx = chunk_ctx.get();
    chunk = ggml_new_graph_custom(ctx, capacity, false);
    ggml_tensor * x = ggml_get_rows(ctx, hidden, rows); // [n_embd, columns]
    const forward::head head = graph->build_head(ctx, x);
    for (const ggml_tensor * node : head.nodes) read.insert(std::begin(node->src), std::end(node->src));

    gradients g(ctx, chunk, devices.devices(), options.rules);
    if (options.with_backward) {
        if (parameters) {
            for (const parameter & p : parameters->all()) {
                g.want(p.value);
                g.accumulate_into(p.value, p.gradient);
            }
        }
        if (!on_host()) g.unscale_by(unscale);
        if (trunk_gradients.wants(graph->hidden())) g.want(x);
        mark_gradient_path(g, head.nodes, head.logits);
        without_rule = ops_without_rule(g, head.nodes);
        if (!without_rule.empty()) return;
    }
    const bool needs_gradient = options.with_backward && g.wants(head.logits);
    ggml_tensor * dlogits = nullptr;
    if (on_host()) {
        // It overwrites the logits: those of a function whose gradient is made from its result must be a copy.
        const bool needed = head.logits->op != GGML_OP_MUL_MAT && head.logits->op != GGML_OP_ADD && head.logits->op != GGML_OP_SCALE;
        ggml_tensor * own = needed ? ggml_cont(ctx, head.logits) : g.contiguous(head.logits);
        dlogits = build_host_cross_entropy(ctx, own, targets, weights, losses, needs_gradient);
        ggml_build_forward_expand(chunk, dlogits);
    } else {
        const cross_entropy ce = build_cross_entropy(ctx, head.logits, targets, weights, needs_gradient);
        dlogits = ce.dlogits;
        // before the gradient, which overwrites the probabilities
        ggml_build_forward_expand(chunk, ggml_cpy(ctx, ggml_reshape_1d(ctx, ce.loss, columns), losses));
    }
    if (needs_gradient) {
        g.add(head.logits, dlogits);
        run_backward(g, head.nodes);
        if (ggml_tensor * dx = g.of(x)) {
            ggml_build_forward_expand(chunk, ggml_set_rows(ctx, dhidden, g.contiguous(dx), rows));
        }
    }
    prepare(chunk_scheduler, chunk, capacity, "a chunk of logits");
}

step::step(std::unique_ptr<forward> graph, const compute & devices, const parameter_set * parameters, const step_options & options)
    : state_(new state { std::move(graph), devices, options }) {
    state & s = *state_;
    s.build_kept();
    std::vector<ggml_tensor *> nodes = s.graph->nodes();
    size_t capacity = nodes.size() * 25 + 4096;
    for (const ggml_tensor * node : nodes) capacity += tensors_of_gradient(node);
    s.trunk_ctx.reset(ggml_init({ capacity * ggml_tensor_overhead() + ggml_graph_overhead_custom(capacity, false), nullptr, true }));
    ggml_context * ctx = s.trunk_ctx.get();
    s.trunk = ggml_new_graph_custom(ctx, capacity, false);

    const int64_t n_embd = s.hidden->ne[0], n_tokens = s.graph->shape().n_tokens();
    const auto tokens_of = [&](ggml_tensor * t) { return ggml_view_2d(ctx, t, n_embd, n_tokens, t->nb[1], 0); };
    gradients g(ctx, s.trunk, devices.devices(), options.rules);
    if (options.with_backward && parameters) {
        for (const ggml_tensor * node : nodes) s.read.insert(std::begin(node->src), std::end(node->src));
        for (const parameter & p : parameters->all()) {
            g.want(p.value);
            g.accumulate_into(p.value, p.gradient);
        }
        if (!s.on_host()) g.unscale_by(s.unscale);
    }
#ifdef LLAMATUNE_ONEDNN
    if (s.on_host() && s.has_accelerator()) {
        nodes = fuse(nodes, s.graph->hidden(), ctx, s.kernels, g);
    }
#endif
    s.boundary = ggml_cpy(ctx, s.graph->hidden(), tokens_of(s.hidden));
    for (ggml_tensor * node : nodes) {
        ggml_build_forward_expand(s.trunk, node); // llama.cpp's order
    }
    ggml_build_forward_expand(s.trunk, s.boundary);

    std::vector<std::string> without_rule;
    if (options.with_backward && parameters) {
        mark_gradient_path(g, nodes, s.graph->hidden());
        without_rule = ops_without_rule(g, nodes);
    }
    std::vector<std::string> head_without_rule;
    s.build_chunk(parameters, g, head_without_rule);
    without_rule.insert(without_rule.end(), head_without_rule.begin(), head_without_rule.end());
    require_no_missing(without_rule, {}, "this model");
    if (options.with_backward && parameters) {
        s.require_reached(*parameters);
    }

    if (options.with_backward && g.wants(s.graph->hidden())) {
        ggml_tensor * dhidden = tokens_of(s.dhidden);
        if (!s.on_host()) {
            // Written by the loss's graph while this one waits at the boundary, of which devices that reorder nodes must
            // know: a source that the copy does not read.
            dhidden = ggml_cont(ctx, dhidden);
            dhidden->src[1] = s.boundary;
        }
        g.add(s.graph->hidden(), dhidden);
        run_backward(g, nodes, options.recompute ? find_cuts(nodes, s.graph->hidden()) : std::vector<size_t>());
    }
    std::vector<std::string> without_device = ops_without_device(s.trunk, devices.devices());
    for (const std::string & name : ops_without_device(s.chunk, devices.devices())) without_device.push_back(name);
    require_no_missing({}, without_device, "this model");
    s.prepare(s.trunk_scheduler, s.trunk, capacity * 2, "forward and backward");
    if (options.with_backward) {
        ggml_backend_sched_set_eval_callback(s.trunk_scheduler.get(), state::at_boundary, &s);
    }
    if (options.profile) {
        ggml_backend_sched_set_eval_callback(s.chunk_scheduler.get(), state::on_chunk_node, &s);
    }
}

step::~step() = default;

void step::state::record(const char * part, const ggml_tensor * node) {
    const auto now = clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - node_started).count();
    node_started = now;
    if (node->op == GGML_OP_NONE || is_view(node)) return;
    const ggml_tensor * a = node->src[0];
    const char * op = ggml_op_desc(node);
#ifdef LLAMATUNE_ONEDNN
    if (is_host_op(node)) op = host_op_name(node);
#endif
    const std::string kind = std::string(op) + " " + (a ? ggml_type_name(a->type) : "") + " " +
                             std::to_string(node->ne[0]) + "x" + std::to_string(node->ne[1]) + "x" + std::to_string(node->ne[2]);
    profile_entry & entry = profile[std::string(part) + kind];
    entry.part = part;
    entry.kind = kind;
    entry.count++;
    entry.ms += ms;
}

bool step::state::on_chunk_node(ggml_tensor * node, bool ask, void * self) {
    if (!ask) static_cast<state *>(self)->record("loss", node);
    return true;
}

bool step::state::at_boundary(ggml_tensor * node, bool ask, void * self) {
    state & s = *static_cast<state *>(self);
    if (s.options.profile && !ask) {
        s.record(!s.past_boundary ? "forward" : is_recomputed(node) ? "again" : "backward", node);
    }
    if (node != s.boundary) return s.options.profile;
    if (!ask) {
        s.timing.forward_ms += ms_since(s.started);
        s.run_loss();
        s.past_boundary = true;
        s.started = s.node_started = clock::now();
    }
    return true;
}

// Rows end in padding where samples are short: blocks of nothing else need no work.
void step::state::tell_padding() {
    constexpr size_t block = 64;
    std::vector<uint8_t> blocks((batch->segment_id.size() + block - 1) / block);
    for (size_t i = 0; i < blocks.size(); i++) {
        const auto from = batch->segment_id.begin() + int64_t(i * block);
        const auto to = batch->segment_id.begin() + int64_t(std::min((i + 1) * block, batch->segment_id.size()));
        blocks[i] = std::all_of(from, to, [](int32_t id) { return id < 0; });
    }
    devices.set_padding(blocks, graph->shape().n_tokens());
}

void step::state::run_loss() {
    const auto begun = clock::now();
    devices.set_padding({}, 0); // a chunk's columns are targets
    const size_t n = batch->target_position.size();
    const float target_weight = on_host() ? float(weight) : narrow_scale;
    if (options.with_backward) {
        ggml_backend_buffer_clear(kept_gradient_buffer.get(), 0); // positions without a target keep zero
    }
    target_losses.resize(n);
    row_values.resize(size_t(columns));
    target_values.resize(size_t(columns));
    weight_values.resize(size_t(columns));
    for (size_t first = 0; first < n; first += size_t(columns)) {
        const size_t count = std::min(n - first, size_t(columns));
        for (size_t i = 0; i < size_t(columns); i++) {
            const bool real = i < count;
            row_values[i] = real ? batch->target_position[first + i] : int32_t(graph->shape().n_tokens());
            target_values[i] = real ? batch->target_token[first + i] : 0;
            weight_values[i] = real ? target_weight : 0.0f;
        }
        ggml_backend_tensor_set(rows, row_values.data(), 0, ggml_nbytes(rows));
        ggml_backend_tensor_set(targets, target_values.data(), 0, ggml_nbytes(targets));
        ggml_backend_tensor_set(weights, weight_values.data(), 0, ggml_nbytes(weights));
        node_started = clock::now();
        run_graph(chunk_scheduler.get(), chunk);
        ggml_backend_tensor_get(losses, target_losses.data() + first, 0, count * sizeof(float));
    }
    tell_padding();
    for (float loss : target_losses) total += loss;
    timing.loss_ms += ms_since(begun);
}

double step::run(const micro_batch & batch, double weight) {
    state & s = *state_;
    s.batch = &batch;
    s.weight = weight;
    s.total = 0;
    s.timing = {};
    s.graph->set_batch(batch);
    s.tell_padding();
    if (!s.on_host()) {
        const float back = float(weight / double(narrow_scale));
        ggml_backend_tensor_set(s.unscale, &back, 0, sizeof(back));
    }
    s.past_boundary = false;
    s.started = s.node_started = clock::now();
    run_graph(s.trunk_scheduler.get(), s.trunk);
    if (s.options.with_backward) {
        s.timing.backward_ms += ms_since(s.started);
    } else {
        s.timing.forward_ms += ms_since(s.started);
        s.run_loss();
    }
    return s.total;
}

const std::vector<float> & step::target_losses() const { return state_->target_losses; }
const step_timing & step::timing() const { return state_->timing; }
std::vector<profile_entry> step::profile() const {
    std::vector<profile_entry> entries;
    for (const auto & [key, entry] : state_->profile) entries.push_back(entry);
    std::sort(entries.begin(), entries.end(), [](const profile_entry & a, const profile_entry & b) { return a.ms > b.ms; });
    return entries;
}

size_t step::compute_bytes() const { return state_->bytes; }

}
