#include "cpu/device/accelerator-device.h"

#include "core/cpu.h"
#include "core/error.h"
#include "cpu/accelerator.h"
#include "cpu/kernels/executor.h"
#include "cpu/kernels/host-op.h"
#include "cpu/kernels/inference-nodes.h"
#include "cpu/kernels/node-products.h"
#include "cpu/kernels/tiled-weights.h"
#include "cpu/kernels/weight-cache.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-impl.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace llamatune {

namespace {

// Smaller products are faster on ggml's CPU back end: dequantizing a whole matrix for a few tokens does not pay, nor
// does a call for a few thousand multiplications.
constexpr int64_t least_columns_of_weights = 32;
constexpr int64_t least_multiplications = 64 * 64 * 64;

// The context of a back end of the device.
struct context {
    executor exec;
    bool for_inference; // made by llama.cpp: the type of operands depends on each weight, LoRA pairs are fused
};

// The type of operands that is at least as exact as ggml's products, which round activations to 8 bits for quantized
// weights and to bfloat16 for bfloat16 weights.
gemm_type operands_for(const ggml_tensor * w) {
    const bool rounds = ggml_is_quantized(w->type) || w->type == GGML_TYPE_BF16;
    return rounds && gemm_has_fast_bf16() ? gemm_type::bf16 : gemm_type::f32;
}

// The factors of LoRA pairs are F32, and weights of a layer are never that small.
bool is_lora_factor(const ggml_tensor * product) {
    return product->src[0]->type == GGML_TYPE_F32 && std::min(product->src[0]->ne[0], product->src[0]->ne[1]) < 64;
}

bool is_whole_pair(const ggml_cgraph * graph, int first) {
    if (first + pair_length > graph->n_nodes || !is_pair(graph->nodes + first)) return false;
    for (int i = first; i < first + pair_length - 1; i++) {
        if (ggml_node_get_use_count(graph, i) != 1 || (graph->nodes[i]->flags & GGML_TENSOR_FLAG_OUTPUT)) return false;
    }
    return true;
}

void run_node(executor & exec, ggml_tensor * node) {
    switch (node->op) {
    case GGML_OP_MUL_MAT:
    case GGML_OP_OUT_PROD: return run_product(exec, node);
    case GGML_OP_CUSTOM: return run_host_op(node, exec);
    case GGML_OP_SCALE:
    case GGML_OP_ADD: return run_pair_tail(exec, node);
    case GGML_OP_FLASH_ATTN_EXT: return run_attention(exec, node);
    default: return;
    }
}

ggml_status compute_graph(ggml_backend_t self, ggml_cgraph * graph) {
    context & own = *static_cast<context *>(self->context);
    executor & exec = own.exec;
    exec.set_input(nullptr, 0);
    for (int i = 0; i < graph->n_nodes; i++) {
        ggml_tensor * node = graph->nodes[i];
        if (!(node->flags & GGML_TENSOR_FLAG_COMPUTE)) continue;
        try {
            if (own.for_inference && node->op == GGML_OP_MUL_MAT && node->src[0]->op == GGML_OP_NONE) {
                // the type for a layer's weights is also used for its LoRA pairs and its attention
                if (!is_lora_factor(node) && exec.operands() != operands_for(node->src[0])) {
                    exec.set_operands(operands_for(node->src[0]));
                    exec.set_input(nullptr, 0);
                }
                if (is_whole_pair(graph, i)) {
                    run_pair(exec, graph->nodes + i);
                    i += pair_length - 1;
                    continue;
                }
            }
            run_node(exec, node);
        } catch (const std::bad_alloc &) { return GGML_STATUS_ALLOC_FAILED; } catch (const error &) {
            throw; // a failed assertion; ggml's scheduler may be left by an exception
        } catch (const std::exception & e) {
            GGML_LOG_ERROR("CPU accelerator: %s\n", e.what());
            return GGML_STATUS_FAILED;
        }
    }
    return GGML_STATUS_SUCCESS;
}

bool readable(const ggml_tensor * t) { return dense_rows(t) || ggml_blck_size(t->type) == 1; }

// Whether the weight, in ggml's layout for AMX, can be converted to the packed layout.
bool reads_packed(const ggml_tensor * product) {
    const ggml_tensor * w = product->src[0];
    if (product->op != GGML_OP_MUL_MAT || !reads_tiles() || !gemm_packs_bf16()) return false;
    return is_tiled(w) ? w->ne[1] % packed_columns == 0 : w->type == GGML_TYPE_F16;
}

bool reads_buffer(ggml_backend_buffer_type_t type) {
    return ggml_backend_buft_is_host(type) || (reads_tiles() && !std::strcmp(ggml_backend_buft_name(type), "AMX"));
}

bool supports(ggml_backend_dev_t, const ggml_tensor * op) {
    switch (op->op) {
    case GGML_OP_NONE:
    case GGML_OP_RESHAPE:
    case GGML_OP_VIEW:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE: return true;
    case GGML_OP_CUSTOM: return is_host_op(op);
    case GGML_OP_SCALE:
    case GGML_OP_ADD: return is_pair_tail(op);
    case GGML_OP_FLASH_ATTN_EXT: return can_attend(op);
    case GGML_OP_MUL_MAT:
    case GGML_OP_OUT_PROD: break;
    default: return false;
    }
    const ggml_tensor * a = op->src[0];
    const ggml_tensor * b = op->src[1];
    if (b->type != GGML_TYPE_F32 || op->type != GGML_TYPE_F32 ||
        (a->type != GGML_TYPE_F32 && !ggml_get_type_traits(a->type)->to_float)) {
        return false;
    }
    if (op->op == GGML_OP_MUL_MAT && (!dense_rows(b) || ggml_get_op_params_i32(op, 1) == GGML_HINT_SRC0_IS_HADAMARD)) {
        return false;
    }
    if (!dense_rows(a) || !readable(b) || (op->op == GGML_OP_OUT_PROD && !dense_rows(b) && b->nb[1] != sizeof(float))) {
        return false;
    }
    if (in_tiles_buffer(a) && !reads_packed(op)) return false;
    const int64_t inner = op->op == GGML_OP_MUL_MAT ? a->ne[0] : a->ne[1];
    if (a->type != GGML_TYPE_F32 &&
        (op->ne[1] < least_columns_of_weights || !ggml_is_matrix(a) || !ggml_is_matrix(b))) {
        return false;
    }
    // In generation the kernel for a weight must depend on nothing but this limit (generate/context.h).
    if (op->op == GGML_OP_MUL_MAT && a->op == GGML_OP_NONE) return op->ne[1] >= least_columns_of_weights;
    return op->ne[0] * op->ne[1] * inner >= least_multiplications;
}

const char * name_of(ggml_backend_t) { return accelerator_name; }
void free_backend(ggml_backend_t self) {
    delete static_cast<context *>(self->context);
    delete self;
}

ggml_guid_t guid() {
    static ggml_guid id = {0x6c, 0x6c, 0x61, 0x6d, 0x61, 0x74, 0x75, 0x6e,
                           0x65, 0x2d, 0x6d, 0x61, 0x74, 0x6d, 0x75, 0x6c};
    return &id;
}

void set_padding(ggml_backend_t self, const uint8_t * blocks, int64_t n_blocks, int64_t n_tokens) {
    static_cast<context *>(self->context)->exec.set_padding(blocks, n_blocks, n_tokens);
}

scratch_need need_of(const executor & exec, ggml_cgraph * graph) {
    scratch_need need;
    for (int i = 0; i < graph->n_nodes; i++) {
        const ggml_tensor * node = graph->nodes[i];
        if (is_host_op(node)) need.merge(scratch_of_host_op(node, exec));
        const bool product = node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_OUT_PROD;
        if (product && supports(nullptr, node)) need.merge(product_scratch(node, exec));
    }
    return need;
}

// The scratch memory that the graph needs.
size_t scratch_bytes(ggml_backend_t self, ggml_cgraph * graph) {
    const executor & exec = static_cast<context *>(self->context)->exec;
    const scratch_need need = need_of(exec, graph);
    return size_t(need.thread * exec.n_threads() + need.input + need.shared);
}

void set_weight_cache(ggml_backend_t self, bool on) {
    static_cast<context *>(self->context)->exec.kept_weights().set_enabled(on);
}

// The memory of the weights that the cache keeps, or would keep for a graph.
size_t weight_cache_bytes(ggml_backend_t self, ggml_cgraph * graph) {
    const executor & exec = static_cast<context *>(self->context)->exec;
    if (!graph) return exec.kept_weights().bytes();
    const std::vector<packed_weight> weights = need_of(exec, graph).weights;
    size_t total = 0;
    for (const packed_weight & weight : std::set<packed_weight>(weights.begin(), weights.end())) {
        total += size_t(weight.n_values()) * sizeof(uint16_t);
    }
    return total;
}

void set_n_threads(ggml_backend_t self, int n) { static_cast<context *>(self->context)->exec.set_n_threads(n); }

ggml_backend_t make_backend(ggml_backend_dev_t device, const char * parameters) {
    static const ggml_backend_i calls = [] {
        ggml_backend_i c{};
        c.get_name = name_of;
        c.free = free_backend;
        c.graph_compute = compute_graph;
        return c;
    }();
    const bool bf16 = parameters && !std::strcmp(parameters, "bf16") && gemm_has_fast_bf16();
    auto * own =
        new context{executor(usable_physical_cores(), bf16 ? gemm_type::bf16 : gemm_type::f32), parameters == nullptr};
    return new ggml_backend{guid(), calls, device, own};
}

ggml_backend_device make_device() {
    ggml_backend_device device{};
    device.iface.get_name = [](ggml_backend_dev_t) { return accelerator_name; };
    device.iface.get_description = [](ggml_backend_dev_t) {
        static const std::string description = "CPU kernels with " + gemm_library();
        return description.c_str();
    };
    device.iface.get_memory = [](ggml_backend_dev_t, size_t * free, size_t * total) { *free = *total = 0; };
    device.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
    device.iface.get_props = [](ggml_backend_dev_t d, ggml_backend_dev_props * props) {
        props->name = d->iface.get_name(d);
        props->description = d->iface.get_description(d);
        props->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
        props->caps = {};
    };
    device.iface.init_backend = make_backend;
    device.iface.get_buffer_type = [](ggml_backend_dev_t) { return ggml_backend_cpu_buffer_type(); };
    device.iface.supports_op = supports;
    device.iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) { return reads_buffer(type); };
    return device;
}

}

ggml_backend_reg_t accelerator_registry() {
    static ggml_backend_device device = make_device();
    static ggml_backend_reg registry = [] {
        ggml_backend_reg r{};
        r.api_version = GGML_BACKEND_API_VERSION;
        r.iface.get_name = [](ggml_backend_reg_t) { return accelerator_name; };
        r.iface.get_device_count = [](ggml_backend_reg_t) -> size_t { return 1; };
        r.iface.get_device = [](ggml_backend_reg_t, size_t) { return &device; };
        r.iface.get_proc_address = [](ggml_backend_reg_t, const char * name) -> void * {
            if (!std::strcmp(name, "ggml_backend_set_n_threads")) return reinterpret_cast<void *>(set_n_threads);
            if (!std::strcmp(name, "llamatune_set_padding")) return reinterpret_cast<void *>(set_padding);
            if (!std::strcmp(name, "llamatune_scratch_bytes")) return reinterpret_cast<void *>(scratch_bytes);
            if (!std::strcmp(name, "llamatune_set_weight_cache")) return reinterpret_cast<void *>(set_weight_cache);
            if (!std::strcmp(name, "llamatune_weight_cache_bytes")) return reinterpret_cast<void *>(weight_cache_bytes);
            return nullptr;
        };
        return r;
    }();
    device.reg = &registry;
    return &registry;
}

}
