#include "cpu/kernels/host-op.h"

#include "core/error.h"

#include <cstring>

namespace llamatune {

struct host_ops::entry {
    const char * name;
    host_kernel kernel;
    host_scratch scratch;
};

namespace {

// ggml's op_params of a custom op.
struct custom_parameters {
    ggml_custom_op_t function;
    int n_tasks;
    void * userdata;
};

custom_parameters parameters_of(const ggml_tensor * node) {
    custom_parameters p;
    static_assert(sizeof(p) <= sizeof(node->op_params), "ggml's parameters of a custom op have grown");
    std::memcpy(&p, node->op_params, sizeof(p));
    return p;
}

// Runs a node on the CPU back end. Its address also marks nodes as ours.
void run_on_cpu(ggml_tensor * node, int thread, int, void *) {
    if (thread != 0) return;
    executor alone(1, gemm_type::f32);
    run_host_op(node, alone);
}

void fill(ggml_tensor * node, const std::vector<ggml_tensor *> & sources, void * entry) {
    const custom_parameters p{run_on_cpu, 1, entry};
    node->op = GGML_OP_CUSTOM;
    std::memset(node->op_params, 0, sizeof(node->op_params));
    std::memcpy(node->op_params, &p, sizeof(p));
    for (size_t i = 0; i < GGML_MAX_SRC; i++) node->src[i] = i < sources.size() ? sources[i] : nullptr;
}

}

ggml_tensor * host_ops::make(ggml_context * ctx, const char * name, std::vector<int64_t> shape,
                             const std::vector<ggml_tensor *> & sources, host_kernel kernel, host_scratch scratch) {
    shape.resize(GGML_MAX_DIMS, 1);
    ggml_tensor * node = ggml_new_tensor(ctx, GGML_TYPE_F32, GGML_MAX_DIMS, shape.data());
    replace(node, name, sources, std::move(kernel), std::move(scratch));
    ggml_set_name(node, name);
    return node;
}

ggml_tensor * host_ops::make_inplace(ggml_context * ctx, const char * name, ggml_tensor * base,
                                     const std::vector<ggml_tensor *> & sources, host_kernel kernel,
                                     host_scratch scratch) {
    ggml_tensor * node = ggml_view_tensor(ctx, base);
    replace(node, name, sources, std::move(kernel), std::move(scratch));
    ggml_set_name(node, name);
    return node;
}

void host_ops::replace(ggml_tensor * node, const char * name, const std::vector<ggml_tensor *> & sources,
                       host_kernel kernel, host_scratch scratch) {
    if (sources.size() >= GGML_MAX_SRC) {
        throw error("GRAPH_UNSUPPORTED", std::string(name) + " has " + std::to_string(sources.size()) +
                                             " sources, more than a graph node can have");
    }
    entries_.push_back(std::make_shared<entry>(entry{name, std::move(kernel), std::move(scratch)}));
    fill(node, sources, entries_.back().get());
}

bool is_host_op(const ggml_tensor * node) {
    return node->op == GGML_OP_CUSTOM && parameters_of(node).function == run_on_cpu;
}

const char * host_op_name(const ggml_tensor * node) {
    return static_cast<host_ops::entry *>(parameters_of(node).userdata)->name;
}

void run_host_op(ggml_tensor * node, executor & exec) {
    static_cast<host_ops::entry *>(parameters_of(node).userdata)->kernel(node, exec);
}

scratch_need scratch_of_host_op(const ggml_tensor * node, const executor & exec) {
    const host_scratch & scratch = static_cast<host_ops::entry *>(parameters_of(node).userdata)->scratch;
    return scratch ? scratch(node, exec) : scratch_need{};
}

}
