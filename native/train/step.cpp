#include "train/step.h"

#include "autodiff/engine/preflight.h"
#include "autodiff/engine/recompute.h"
#include "core/error.h"
#include "core/join.h"
#include "loss/chunk-columns.h"
#include "train/loss-graph.h"
#include "train/recently-used.h"
#include "train/trunk.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

// Loss scaling: many GPUs multiply F32 matrices as F16, whose smallest number is 6e-8, so a probability divided by the
// number of targets would underflow. There the gradient of the target with the largest weight is scaled to this
// number, which is in the middle of F16's range, and unscaled when gradients are accumulated.
constexpr float narrow_scale = 64.0f;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr size_t most_trunks = 8, most_loss_graphs = 16;

double ms_since(clock::time_point start) {
    return std::chrono::duration<double, std::milli>(clock::now() - start).count();
}

int64_t largest_n_tokens(const batch_shape & first, const std::vector<batch_shape> & others) {
    int64_t n = first.n_tokens();
    for (const batch_shape & shape : others) n = std::max(n, shape.n_tokens());
    return n;
}

// The width of the logits, which is only known once the head is built.
int64_t n_vocab_of(const forward & graph) {
    tensor_arena probe;
    return graph.build_head(probe, ggml_new_tensor_2d(probe, GGML_TYPE_F32, graph.hidden()->ne[0], 1)).logits->ne[0];
}

// Throws if a parameter has no gradient: its weight may match a target although llama.cpp's graph does not read its
// pair, or it may only feed a selection of keys or experts.
void require_reached(const parameter_set & parameters, const graph_findings & trunk, const graph_findings & loss) {
    std::string missing, selecting;
    for (const parameter & p : parameters.all()) {
        std::string & names = trunk.read.count(p.value) + loss.read.count(p.value) > 0 ? selecting : missing;
        if (trunk.reached.count(p.value) + loss.reached.count(p.value) == 0) append_to(names, p.name);
    }
    std::string reasons;
    if (!missing.empty()) append_to(reasons, "the model's graph does not read " + missing, "; ");
    if (!selecting.empty()) append_to(reasons, "a non-differentiable selection is all that uses " + selecting, "; ");
    if (reasons.empty()) { return; }
    throw error("TARGET_UNSUPPORTED", "cannot train some targets: " + reasons,
                "Leave them out of lora.targets; 'all-linear' selects every linear layer that can be trained.");
}

// Throws if the load-balance loss would only train weights that are not a router's, or has no router to read.
void require_router(const parameter_set & parameters, const load_balance & balance) {
    const auto & all = parameters.all();
    const auto is_router = [](const parameter & p) { return p.name.find(".ffn_gate_inp.") != std::string::npos; };
    if (std::none_of(all.begin(), all.end(), is_router))
        throw error("TARGET_UNSUPPORTED", "loadBalanceLoss needs a router that is trained, but no target is one",
                    "Add 'ffn_gate_inp' to lora.targets, or leave out loadBalanceLoss.");
    if (balance.empty())
        throw error("TARGET_UNSUPPORTED", "the router of this architecture has no load-balance loss",
                    "Leave out loadBalanceLoss.");
}

}

struct step::state {
    state(std::unique_ptr<forward> graph, const compute & devices, const parameter_set * parameters,
          const step_options & options);
    ~state();

    trunk & trunk_of(const batch_shape & shape);
    loss_graph & loss_graph_of(size_t n_targets);
    void build_largest(std::unique_ptr<forward> graph);
    void set_padding(bool skip) const;
    void run_loss();
    double loss_factor() const;
    double balance_factor() const;
    void add_metrics(const loss_graph & chunk, size_t first, size_t count);
    static bool at_boundary(ggml_tensor * node, bool ask, void * self);
    static bool on_loss_node(ggml_tensor * node, bool ask, void * self);

    const step_options & options() const { return context.options(); }
    bool trains() const { return options().with_backward; }

    step_context context;
    std::shared_ptr<step_memory> memory;
    recently_used<trunk> trunks{most_trunks};
    recently_used<loss_graph> loss_graphs{most_loss_graphs};
    std::vector<std::string> metric_names;
    int64_t max_columns = 0; // of a loss graph
    size_t bytes = 0, graph_bytes = 0, weight_cache_bytes = 0;

    // the run in progress
    const trunk * running = nullptr;
    const micro_batch * batch = nullptr;
    double scale = 0, token_scale = 0;
    float largest_weight = 1; // of the batch's targets
    double total = 0, load_balance_loss = not_a_number;
    std::vector<float> target_losses, metric_values;
    named_numbers metric_sums;
    step_timing timing;
    int64_t n_runs = 0;
    clock::time_point started;
    bool past_boundary = false;
    node_profile profile;
};

step::state::state(std::unique_ptr<forward> graph, const compute & devices, const parameter_set * parameters,
                   const step_options & o)
    : context(devices, parameters, o, graph->hidden()->ne[0], largest_n_tokens(graph->shape(), o.largest)),
      memory(o.memory ? o.memory : std::make_shared<step_memory>(devices)), metric_names(o.loss->metric_names()) {
    for (const std::string & name : metric_names) metric_sums[name] = 0;
    max_columns = loss_chunk_columns(n_vocab_of(*graph), context.hidden()->ne[1] - 1, o.loss_budget_bytes,
                                     o.loss->n_logits(context.on_host()));
    build_largest(std::move(graph));
}

step::state::~state() {
    for (const auto & each : trunks.all()) memory->trunk.forget(each->graph());
    for (const auto & each : loss_graphs.all()) memory->loss.forget(each->graph());
}

// Builds the graphs of the largest shapes, checks them, and allocates or measures the memory of the step.
void step::state::build_largest(std::unique_ptr<forward> graph) {
    const forward & source = *graph;
    const batch_shape first = graph->shape();
    const auto discard = [](const auto &) {};
    const trunk & main = trunks.get([](const trunk &) { return false; },
                                    [&] { return std::make_unique<trunk>(std::move(graph), context); }, discard);
    const auto make_loss = [&] {
        return std::make_unique<loss_graph>(source, context, max_columns, main.needs_dhidden());
    };
    const loss_graph & loss = loss_graphs.get([](const loss_graph &) { return false; }, make_loss, discard);
    const auto both = [](std::vector<std::string> a, const std::vector<std::string> & b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    };
    const graph_findings &a = main.findings(), &b = loss.findings();
    require_no_missing(both(a.without_rule, b.without_rule), {}, "this model");
    require_no_missing({}, both(a.without_device, b.without_device), "this model");
    if (context.parameters()) require_reached(*context.parameters(), a, b);
    if (main.balance()) require_router(*context.parameters(), *main.balance());

    std::vector<batch_shape> shapes{first};
    shapes.insert(shapes.end(), options().largest.begin(), options().largest.end());
    size_t scratch_bytes = 0;
    const auto count = [&](const shared_graph & graph) {
        scratch_bytes = std::max(scratch_bytes, context.devices().scratch_bytes(graph.graph()));
        graph_bytes += graph.bytes();
    };
    count(loss.graph());
    size_t trunk_bytes = 0;
    for (const batch_shape & shape : shapes) {
        const trunk & each = trunk_of(shape);
        count(each.graph());
        if (options().allocate)
            memory->trunk.reserve(each.graph());
        else
            trunk_bytes = std::max(trunk_bytes, memory->trunk.measure(each.graph()));
    }
    if (options().allocate) {
        memory->loss.reserve(loss.graph());
        bytes = memory->trunk.bytes() + memory->loss.bytes();
    } else
        bytes = trunk_bytes + memory->loss.measure(loss.graph());
    bytes += context.bytes() + source.input_bytes() + scratch_bytes;
    // graphs of other shapes multiply the same weights
    weight_cache_bytes = context.devices().needed_weight_cache_bytes(main.graph().graph()) +
                         context.devices().needed_weight_cache_bytes(loss.graph().graph());
}

trunk & step::state::trunk_of(const batch_shape & shape) {
    const auto make = [&] {
        if (shape.n_tokens() >= context.hidden()->ne[1]) {
            throw error("OUT_OF_MEMORY", "the micro-batch has " + std::to_string(shape.n_tokens()) +
                                             " positions, more than the " +
                                             std::to_string(context.hidden()->ne[1] - 1) + " with memory");
        }
        auto made = std::make_unique<trunk>(trunks.all().front()->inputs().with_shape(shape), context);
        require_no_missing(made->findings().without_rule, made->findings().without_device, "this model");
        return made;
    };
    return trunks.get([&](const trunk & t) { return t.shape() == shape; }, make,
                      [&](const trunk & t) { memory->trunk.forget(t.graph()); });
}

// The graph for the next chunk of these targets; it may be a little wider than needed.
loss_graph & step::state::loss_graph_of(size_t n_targets) {
    const int64_t columns = loss_chunk_width(int64_t(n_targets), max_columns);
    const auto make = [&] {
        return std::make_unique<loss_graph>(running->inputs(), context, columns, running->needs_dhidden());
    };
    return loss_graphs.get([&](const loss_graph & g) { return g.columns() == columns; }, make,
                           [&](const loss_graph & g) { memory->loss.forget(g.graph()); });
}

bool step::state::on_loss_node(ggml_tensor * node, bool ask, void * self) {
    if (!ask) static_cast<state *>(self)->profile.record("loss", node);
    return true;
}

bool step::state::at_boundary(ggml_tensor * node, bool ask, void * self) {
    state & s = *static_cast<state *>(self);
    const step_options & options = s.options();
    const bool selects = options.on_selection && (node->op == GGML_OP_ARGSORT || node->op == GGML_OP_TOP_K);
    if (selects && !ask) options.on_selection(node);
    // Nodes that are recomputed have the same names.
    const bool counts = options.experts && !s.past_boundary && expert_counter::is_choice(node);
    if (counts && !ask) options.experts->add(node, s.batch->segment_id);
    load_balance * balance = s.running->balance();
    const bool balances = balance && !s.past_boundary && balance->reads(node);
    if (balances && !ask) balance->read(node, s.batch->segment_id);
    if (options.profile && !ask) {
        s.profile.record(!s.past_boundary ? "forward" : is_recomputed(node) ? "recompute" : "backward", node);
    }
    if (node != s.running->boundary()) return options.profile || selects || counts || balances;
    if (!ask) {
        s.timing.forward_ms += ms_since(s.started);
        s.run_loss();
        if (balance) s.load_balance_loss = balance->finish(s.balance_factor(), s.batch->segment_id);
        s.past_boundary = true;
        s.started = clock::now();
        s.profile.start();
    }
    return true;
}

// Tells the devices which blocks of tokens contain only padding, so that they can skip them.
void step::state::set_padding(bool skip) const {
    if (!skip) {
        context.devices().set_padding({}, 0);
        return;
    }
    constexpr size_t block = 64;
    std::vector<uint8_t> blocks((batch->segment_id.size() + block - 1) / block);
    for (size_t i = 0; i < blocks.size(); i++) {
        const auto from = batch->segment_id.begin() + int64_t(i * block);
        const auto to = batch->segment_id.begin() + int64_t(std::min((i + 1) * block, batch->segment_id.size()));
        blocks[i] = std::all_of(from, to, [](int32_t id) { return id < 0; });
    }
    context.devices().set_padding(blocks, batch->shape.n_tokens());
}

// The factor of the gradient of a target's loss in this graph.
double step::state::loss_factor() const {
    return context.scales_loss() ? double(narrow_scale) / double(largest_weight) : scale;
}

// The same for the load-balance loss, which loss scaling scales as well.
double step::state::balance_factor() const {
    return options().load_balance * token_scale * (context.scales_loss() && scale > 0 ? loss_factor() / scale : 1);
}

void step::state::run_loss() {
    const auto loss_start = clock::now();
    set_padding(false); // a chunk's columns are targets
    const size_t n = batch->target_position.size();
    if (trains()) context.clear_dhidden(); // positions without a target stay zero
    target_losses.resize(n);
    for (size_t first = 0; first < n;) {
        loss_graph & chunk = loss_graph_of(n - first);
        const size_t count = std::min(n - first, size_t(chunk.columns()));
        chunk.set({&batch->target_position[first], &batch->target_token[first], &batch->target_weight[first], count},
                  loss_factor());
        profile.start();
        memory->loss.run(chunk.graph(), options().profile ? on_loss_node : nullptr, this);
        chunk.get_losses(target_losses.data() + first, count);
        add_metrics(chunk, first, count);
        first += count;
    }
    set_padding(true);
    for (size_t i = 0; i < n; i++) total += double(batch->target_weight[i]) * double(target_losses[i]);
    timing.loss_ms += ms_since(loss_start);
}

// Adds the metrics of a chunk's targets. A target without a finite loss has no metrics either.
void step::state::add_metrics(const loss_graph & chunk, size_t first, size_t count) {
    metric_values.resize(count);
    for (size_t m = 0; m < metric_names.size(); m++) {
        chunk.get_metric(m, metric_values.data(), count);
        double & sum = metric_sums[metric_names[m]];
        for (size_t i = 0; i < count; i++) {
            const double value = std::isfinite(target_losses[first + i]) ? double(metric_values[i]) : not_a_number;
            sum += double(batch->target_weight[first + i]) * value;
        }
    }
}

step::step(std::unique_ptr<forward> graph, const compute & devices, const parameter_set * parameters,
           const step_options & options)
    : state_(std::make_unique<state>(std::move(graph), devices, parameters, options)) {}

step::~step() = default;

double step::run(const micro_batch & batch, double scale, double token_scale) {
    state & s = *state_;
    s.batch = &batch;
    s.scale = scale;
    s.token_scale = token_scale;
    const auto largest = std::max_element(batch.target_weight.begin(), batch.target_weight.end());
    s.largest_weight = largest == batch.target_weight.end() ? 1.0f : *largest;
    s.total = 0;
    for (auto & [name, sum] : s.metric_sums) sum = 0;
    s.timing = {};
    s.n_runs++;
    const trunk & current = s.trunk_of(batch.shape);
    s.running = &current;
    current.inputs().set_batch(batch);
    s.set_padding(true);
    if (s.context.scales_loss()) {
        const float unscale = float(scale * double(s.largest_weight) / double(narrow_scale));
        ggml_backend_tensor_set(s.context.unscale(), &unscale, 0, sizeof(unscale));
    }
    s.past_boundary = false;
    s.started = clock::now();
    s.profile.start();
    s.memory->trunk.run(current.graph(), s.trains() ? state::at_boundary : nullptr, &s);
    if (s.trains()) {
        s.timing.backward_ms += ms_since(s.started);
    } else {
        s.timing.forward_ms += ms_since(s.started);
        s.run_loss();
    }
    return s.total;
}

const std::vector<float> & step::target_losses() const { return state_->target_losses; }
const named_numbers & step::metric_sums() const { return state_->metric_sums; }
double step::load_balance_loss() const { return state_->load_balance_loss; }
int64_t step::n_runs() const { return state_->n_runs; }
const step_timing & step::timing() const { return state_->timing; }
std::vector<profile_entry> step::profile() const { return state_->profile.entries(); }
step_graphs step::graphs() const {
    const state & s = *state_;
    const trunk & last = *s.trunks.all().front();
    const loss_graph & loss = *s.loss_graphs.all().front();
    if (s.options().allocate) {
        s.memory->trunk.reserve(last.graph());
        s.memory->loss.reserve(loss.graph());
    }
    return {last.graph().graph(), loss.graph().graph(),       last.boundary(),
            loss.columns(),       s.memory->trunk.n_splits(), s.memory->loss.n_splits()};
}

size_t step::compute_bytes() const { return state_->bytes; }
size_t step::graph_bytes() const { return state_->graph_bytes; }
size_t step::weight_cache_bytes() const { return state_->weight_cache_bytes; }

}
