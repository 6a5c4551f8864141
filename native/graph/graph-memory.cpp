#include "graph/graph-memory.h"

#include "core/error.h"
#include "core/large-pages.h"
#include "graph/out-of-memory.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

namespace llamatune {

namespace {

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

void use_large_pages_for(ggml_cgraph * graph) {
    std::unordered_set<ggml_backend_buffer_t> seen;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_backend_buffer_t buffer = ggml_graph_node(graph, i)->buffer;
        if (buffer && ggml_backend_buffer_is_host(buffer) &&
            ggml_backend_buffer_get_usage(buffer) != GGML_BACKEND_BUFFER_USAGE_WEIGHTS && seen.insert(buffer).second) {
            use_large_pages(ggml_backend_buffer_get_base(buffer), ggml_backend_buffer_get_size(buffer));
        }
    }
}

}

shared_graph::shared_graph(ggml_cgraph * graph, std::string what) : graph_(graph), what_(std::move(what)) {
    std::unordered_set<const ggml_tensor *> seen;
    const auto add = [&](ggml_tensor * t) {
        if (!t || !seen.insert(t).second) return;
        original o{t, t->buffer, t->data, {}};
        std::copy(std::begin(t->src), std::end(t->src), o.sources);
        originals_.push_back(o);
    };
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor * node = ggml_graph_node(graph, i);
        std::for_each(std::begin(node->src), std::end(node->src), add); // weights and inputs are not nodes
        add(node);
    }
}

void shared_graph::restore() const {
    for (const original & o : originals_) {
        o.tensor->buffer = o.buffer;
        o.tensor->data = o.data;
        std::copy(std::begin(o.sources), std::end(o.sources), o.tensor->src);
    }
}

const memory_plan & shared_graph::plan() const {
    constexpr size_t alignment = 64; // a line of the cache and the longest vector
    if (!plan_) plan_ = plan_memory(graph_, alignment);
    return *plan_;
}

// Gives the tensors their addresses. The scheduler then allocates nothing.
void graph_memory::place(const shared_graph & graph) {
    const memory_plan & plan = graph.plan();
    if (!block_ || ggml_backend_buffer_get_size(block_.get()) < plan.bytes) {
        block_.reset(); // before the larger one is allocated
        block_.reset(ggml_backend_buft_alloc_buffer(devices_.host_buffer_type(), plan.bytes));
        if (!block_) throw out_of_memory("allocating " + graph.what());
        use_large_pages(ggml_backend_buffer_get_base(block_.get()), ggml_backend_buffer_get_size(block_.get()));
    }
    char * base = static_cast<char *>(ggml_backend_buffer_get_base(block_.get()));
    for (const memory_plan::place & p : plan.places) {
        ggml_backend_tensor_alloc(block_.get(), p.tensor, base + p.offset);
    }
}

void graph_memory::make_scheduler(const shared_graph & graph) {
    const size_t needed = graph.n_tensors();
    if (scheduler_ && needed <= capacity_) return;
    scheduler_ = devices_.new_scheduler(needed);
    capacity_ = needed;
}

void graph_memory::reserve(const shared_graph & graph) {
    if (active_ == &graph) return;
    if (active_) active_->restore();
    active_ = nullptr;
    make_scheduler(graph);
    ggml_backend_sched_reset(scheduler_.get());
    if (devices_.on_host()) place(graph);
    // Reserving plans the places of all tensors. Without it ggml would keep the last graph's plan if that graph has as
    // many nodes, even if they are other nodes.
    const bool reserved = ggml_backend_sched_reserve(scheduler_.get(), graph.graph());
    if (!devices_.on_host()) graph.restore(); // planning inserts copies between devices
    if (!reserved || !ggml_backend_sched_alloc_graph(scheduler_.get(), graph.graph())) {
        graph.restore();
        throw out_of_memory("allocating " + graph.what());
    }
    active_ = &graph;
    n_splits_ = ggml_backend_sched_get_n_splits(scheduler_.get());
    use_large_pages_for(graph.graph());
}

void graph_memory::run(const shared_graph & graph, ggml_backend_sched_eval_callback on_node, void * user_data) {
    reserve(graph);
    ggml_backend_sched_set_eval_callback(scheduler_.get(), on_node, user_data);
    switch (ggml_backend_sched_graph_compute(scheduler_.get(), graph.graph())) {
    case GGML_STATUS_SUCCESS: return;
    case GGML_STATUS_ABORTED: throw error("ABORTED", "the run was aborted");
    case GGML_STATUS_ALLOC_FAILED: throw out_of_memory("running " + graph.what());
    default: throw error("COMPUTE_FAILED", "the device failed to run " + graph.what());
    }
}

size_t graph_memory::measure(const shared_graph & graph) {
    if (devices_.on_host()) return graph.plan().bytes;
    const ggml_backend_sched_ptr scheduler = devices_.new_scheduler(graph.n_tensors());
    std::vector<size_t> sizes(devices_.devices().size());
    ggml_backend_sched_reserve_size(scheduler.get(), graph.graph(), sizes.data());
    n_splits_ = ggml_backend_sched_get_n_splits(scheduler.get());
    graph.restore();
    size_t total = 0;
    for (int i = 0; i < int(sizes.size()); i++) {
        if (!shares_buffer(scheduler.get(), i)) total += sizes[size_t(i)];
    }
    return total;
}

void graph_memory::forget(const shared_graph & graph) {
    if (active_ != &graph) return;
    graph.restore();
    active_ = nullptr;
}

size_t graph_memory::bytes() const {
    size_t total = block_ ? ggml_backend_buffer_get_size(block_.get()) : 0;
    for (int i = 0; scheduler_ && i < ggml_backend_sched_get_n_backends(scheduler_.get()); i++) {
        total +=
            ggml_backend_sched_get_buffer_size(scheduler_.get(), ggml_backend_sched_get_backend(scheduler_.get(), i));
    }
    return total;
}

}
