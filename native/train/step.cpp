#include "train/step-state.h"

#include "autodiff/engine/recompute.h"
#include "cpu/accelerator.h"

#include <algorithm>
#include <cmath>

namespace llamatune {

namespace {

using clock = step_clock;

double ms_since(clock::time_point start) {
    return std::chrono::duration<double, std::milli>(clock::now() - start).count();
}

bool is_view(const ggml_tensor * node) {
    return node->op == GGML_OP_VIEW || node->op == GGML_OP_RESHAPE || node->op == GGML_OP_PERMUTE ||
           node->op == GGML_OP_TRANSPOSE;
}

}

step::~step() = default;

void step::state::record(const char * part, const ggml_tensor * node) {
    const auto now = clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - node_started).count();
    node_started = now;
    if (node->op == GGML_OP_NONE || is_view(node)) return;
    const ggml_tensor * a = node->src[0];
    const std::string kind = std::string(op_name(node)) + " " + (a ? ggml_type_name(a->type) : "") + " " +
                             std::to_string(node->ne[0]) + "x" + std::to_string(node->ne[1]) + "x" +
                             std::to_string(node->ne[2]);
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
    const bool selects = s.options.on_selection && (node->op == GGML_OP_ARGSORT || node->op == GGML_OP_TOP_K);
    if (selects && !ask) s.options.on_selection(node);
    if (s.options.profile && !ask) {
        s.record(!s.past_boundary ? "forward" : is_recomputed(node) ? "recompute" : "backward", node);
    }
    if (node != s.boundary) return s.options.profile || selects;
    if (!ask) {
        s.timing.forward_ms += ms_since(s.started);
        s.run_loss();
        s.past_boundary = true;
        s.started = s.node_started = clock::now();
    }
    return true;
}

// Tells the devices which blocks of tokens contain only padding, so that they can skip them.
void step::state::set_padding() {
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
    const auto loss_start = clock::now();
    devices.set_padding({}, 0); // a chunk's columns are targets
    const size_t n = batch->target_position.size();
    const double factor = scales_loss() ? double(narrow_scale) / double(largest_weight) : scale;
    if (options.with_backward) {
        ggml_backend_buffer_clear(kept_gradient_buffer.get(), 0); // positions without a target stay zero
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
            weight_values[i] = real ? float(factor * double(batch->target_weight[first + i])) : 0.0f;
        }
        ggml_backend_tensor_set(rows, row_values.data(), 0, ggml_nbytes(rows));
        ggml_backend_tensor_set(targets, target_values.data(), 0, ggml_nbytes(targets));
        ggml_backend_tensor_set(weights, weight_values.data(), 0, ggml_nbytes(weights));
        node_started = clock::now();
        run_graph(chunk_scheduler.get(), chunk);
        ggml_backend_tensor_get(losses, target_losses.data() + first, 0, count * sizeof(float));
        add_metrics(first, count);
    }
    set_padding();
    for (size_t i = 0; i < n; i++) total += double(batch->target_weight[i]) * double(target_losses[i]);
    timing.loss_ms += ms_since(loss_start);
}

// Adds the metrics of a chunk's targets. A target without a finite loss has no metrics either.
void step::state::add_metrics(size_t first, size_t count) {
    metric_values.resize(count);
    for (size_t m = 0; m < metric_names.size(); m++) {
        ggml_backend_tensor_get(metrics, metric_values.data(), m * metrics->nb[1], count * sizeof(float));
        double & sum = metric_sums[metric_names[m]];
        for (size_t i = 0; i < count; i++) {
            const double value = std::isfinite(target_losses[first + i]) ? double(metric_values[i]) : std::nan("");
            sum += double(batch->target_weight[first + i]) * value;
        }
    }
}

double step::run(const micro_batch & batch, double scale) {
    state & s = *state_;
    s.batch = &batch;
    s.scale = scale;
    const auto largest = std::max_element(batch.target_weight.begin(), batch.target_weight.end());
    s.largest_weight = largest == batch.target_weight.end() ? 1.0f : *largest;
    s.total = 0;
    for (auto & [name, sum] : s.metric_sums) sum = 0;
    s.timing = {};
    s.n_runs++;
    s.graph->set_batch(batch);
    s.set_padding();
    if (s.scales_loss()) {
        const float unscale = float(scale * double(s.largest_weight) / double(narrow_scale));
        ggml_backend_tensor_set(s.unscale, &unscale, 0, sizeof(unscale));
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
const named_numbers & step::metric_sums() const { return state_->metric_sums; }
int64_t step::n_runs() const { return state_->n_runs; }
const step_timing & step::timing() const { return state_->timing; }
std::vector<profile_entry> step::profile() const {
    std::vector<profile_entry> entries;
    for (const auto & [key, entry] : state_->profile) entries.push_back(entry);
    std::sort(entries.begin(), entries.end(),
              [](const profile_entry & a, const profile_entry & b) { return a.ms > b.ms; });
    return entries;
}

step_graphs step::graphs() const {
    const state & s = *state_;
    return {s.trunk,
            s.chunk,
            s.boundary,
            s.columns,
            ggml_backend_sched_get_n_splits(s.trunk_scheduler.get()),
            ggml_backend_sched_get_n_splits(s.chunk_scheduler.get())};
}

size_t step::compute_bytes() const { return state_->bytes; }

}
