#pragma once

#include "core/ggml-ptr.h"
#include "graph/compute.h"
#include "graph/memory-plan.h"

#include <ggml-backend.h>
#include <ggml.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// A graph whose tensors are allocated again whenever another graph has used the memory in between.
class shared_graph {
public:
    // `what` names the graph in errors. The graph must outlive this object.
    shared_graph(ggml_cgraph * graph, std::string what);

    ggml_cgraph * graph() const { return graph_; }
    const std::string & what() const { return what_; }
    size_t n_tensors() const { return originals_.size(); } // nodes, weights and inputs
    // The memory of the structures that describe the graph: of its tensors without their data, and in the lists and
    // hash tables of its builder, the scheduler and the allocator.
    size_t bytes() const {
        constexpr size_t in_lists_and_tables = 600;
        return n_tensors() * (ggml_tensor_overhead() + sizeof(original) + in_lists_and_tables);
    }

    // Where the tensors lie in memory of the host; planned once.
    const memory_plan & plan() const;

    // Gives all tensors the addresses and sources that they had before a scheduler allocated them.
    void restore() const;

private:
    struct original {
        ggml_tensor * tensor;
        ggml_backend_buffer_t buffer;
        void * data;
        ggml_tensor * sources[GGML_MAX_SRC];
    };
    ggml_cgraph * graph_;
    std::string what_;
    std::vector<original> originals_;
    mutable std::optional<memory_plan> plan_;
};

// Compute buffers for graphs that run one at a time: all of them share the memory of the largest.
class graph_memory {
public:
    explicit graph_memory(const compute & devices) : devices_(devices) {}

    // Runs the graph; `on_node` (may be null) is the scheduler's callback. Throws error ABORTED (the stop flag),
    // OUT_OF_MEMORY, COMPUTE_FAILED.
    void run(const shared_graph & graph, ggml_backend_sched_eval_callback on_node = nullptr,
             void * user_data = nullptr);
    // Allocates the memory of this graph. Graphs that need no more run without another allocation. Throws error
    // OUT_OF_MEMORY.
    void reserve(const shared_graph & graph);
    // Bytes that the graph would need, without allocating anything.
    size_t measure(const shared_graph & graph);
    // Must be called before a graph is destroyed.
    void forget(const shared_graph & graph);

    size_t bytes() const;
    // Parts of the graph that was reserved or measured last, each on one device; data is copied between them.
    int n_splits() const { return n_splits_; }

private:
    void make_scheduler(const shared_graph & graph);
    void place(const shared_graph & graph);

    const compute & devices_;
    ggml_backend_sched_ptr scheduler_;
    ggml_backend_buffer_ptr block_; // of all tensors, if all devices compute in host memory
    size_t capacity_ = 0;           // tensors
    int n_splits_ = 0;
    const shared_graph * active_ = nullptr;
};

}
