#include "backends/matmul-device.h"

#include "backends/convert.h"
#include "backends/gemm.h"
#include "core/cpu.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-impl.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace llamatune {

namespace {

// Below these a product is cheaper where it is: no dequantizing of a whole matrix for a few tokens, no call for a few
// thousand multiplications.
constexpr int64_t least_columns_of_weights = 32;
constexpr int64_t least_multiplications    = 64 * 64 * 64;

struct matmul_backend {
    int       n_threads = usable_physical_cores();
    gemm_type weights   = gemm_type::f32;
    gemm      products  { n_threads };
    std::vector<char> weight_space, activation_space;

    template <typename T> T * space(std::vector<char> & in, int64_t n) {
        if (in.size() < size_t(n) * sizeof(T)) in.resize(size_t(n) * sizeof(T));
        return reinterpret_cast<T *>(in.data());
    }
};

bool dense_rows(const ggml_tensor * t) { return t->nb[0] == ggml_type_size(t->type); }

int64_t elements(size_t bytes) { return int64_t(bytes / sizeof(float)); }

const char * plane(const ggml_tensor * t, int64_t i2, int64_t i3) {
    return static_cast<const char *>(t->data) + size_t(i2) * t->nb[2] + size_t(i3) * t->nb[3];
}

// Matrix `t` [n_columns, n_rows] of plane (i2, i3) in F32 or bfloat16, as an operand with rows of t as its rows.
gemm_operand operand(matmul_backend & backend, std::vector<char> & space, const ggml_tensor * t, int64_t i2, int64_t i3, gemm_type type) {
    const char * data = plane(t, i2, i3);
    if (type == gemm_type::bf16) {
        uint16_t * converted = backend.space<uint16_t>(space, t->ne[0] * t->ne[1]);
        rows_to_bf16(t->type, data, t->nb[1], t->ne[0], t->ne[1], converted, backend.n_threads);
        return { converted, t->ne[0], 1 };
    }
    if (t->type == GGML_TYPE_F32) {
        return { data, elements(t->nb[1]), elements(t->nb[0]) };
    }
    float * converted = backend.space<float>(space, t->ne[0] * t->ne[1]);
    rows_to_f32(t->type, data, t->nb[1], t->ne[0], t->ne[1], converted, backend.n_threads);
    return { converted, t->ne[0], 1 };
}

gemm_operand flipped(const gemm_operand & o) { return { o.data, o.column_stride, o.row_stride }; }

// The small products of LoRA pairs stay F32: they are cheap, and the adapter is what is trained.
gemm_type type_of(const matmul_backend & backend, const ggml_tensor * node) {
    const int64_t inner = node->op == GGML_OP_MUL_MAT ? node->src[0]->ne[0] : node->src[0]->ne[1];
    return std::min({ node->ne[0], node->ne[1], inner }) < 64 ? gemm_type::f32 : backend.weights;
}

// dst[m, n] = Σ_k a[k, m] b[k, n], in rows: dst (n × m) = b (n × k) · aᵀ (k × m)
void run_mul_mat(matmul_backend & backend, ggml_tensor * node) {
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    const gemm_type type = type_of(backend, node);
    const int64_t r2 = b->ne[2] / a->ne[2], r3 = b->ne[3] / a->ne[3];
    for (int64_t i3 = 0; i3 < node->ne[3]; i3++) {
        for (int64_t i2 = 0; i2 < node->ne[2]; i2++) {
            const gemm_operand weights = operand(backend, backend.weight_space, a, i2 / r2, i3 / r3, type);
            const gemm_operand x = operand(backend, backend.activation_space, b, i2, i3, type);
            float * out = reinterpret_cast<float *>(const_cast<char *>(plane(node, i2, i3)));
            backend.products.run(type, node->ne[1], node->ne[0], a->ne[0], x, flipped(weights), out, elements(node->nb[1]));
        }
    }
}

// dst[k, n] = Σ_m a[k, m] b[n, m], in rows: dst (n × k) = bᵀ (n × m) · a (m × k); b is often a transposed view
void run_out_prod(matmul_backend & backend, ggml_tensor * node) {
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    const gemm_type type = type_of(backend, node);
    const int64_t r2 = b->ne[2] / a->ne[2], r3 = b->ne[3] / a->ne[3];
    for (int64_t i3 = 0; i3 < node->ne[3]; i3++) {
        for (int64_t i2 = 0; i2 < node->ne[2]; i2++) {
            const gemm_operand left = operand(backend, backend.weight_space, a, i2 / r2, i3 / r3, type);
            gemm_operand right;
            if (type == gemm_type::bf16 && !dense_rows(b)) {
                // convert along the dense direction, then read it the other way round
                ggml_tensor turned = *b;
                std::swap(turned.ne[0], turned.ne[1]);
                std::swap(turned.nb[0], turned.nb[1]);
                right = operand(backend, backend.activation_space, &turned, i2, i3, type);
            } else {
                right = flipped(operand(backend, backend.activation_space, b, i2, i3, type));
            }
            float * out = reinterpret_cast<float *>(const_cast<char *>(plane(node, i2, i3)));
            backend.products.run(type, node->ne[1], node->ne[0], a->ne[1], right, left, out, elements(node->nb[1]));
        }
    }
}

ggml_status compute_graph(ggml_backend_t self, ggml_cgraph * graph) {
    matmul_backend & backend = *static_cast<matmul_backend *>(self->context);
    for (int i = 0; i < graph->n_nodes; i++) {
        ggml_tensor * node = graph->nodes[i];
        if (!(node->flags & GGML_TENSOR_FLAG_COMPUTE)) continue;
        try {
            if (node->op == GGML_OP_MUL_MAT) run_mul_mat(backend, node);
            if (node->op == GGML_OP_OUT_PROD) run_out_prod(backend, node);
        } catch (const std::bad_alloc &) {
            return GGML_STATUS_ALLOC_FAILED;
        } catch (const std::exception & e) {
            GGML_LOG_ERROR("matrix products: %s\n", e.what());
            return GGML_STATUS_FAILED;
        }
    }
    return GGML_STATUS_SUCCESS;
}

bool readable(const ggml_tensor * t) {
    return dense_rows(t) || ggml_blck_size(t->type) == 1;
}

bool supports(ggml_backend_dev_t, const ggml_tensor * op) {
    switch (op->op) {
        case GGML_OP_NONE:
        case GGML_OP_RESHAPE:
        case GGML_OP_VIEW:
        case GGML_OP_PERMUTE:
        case GGML_OP_TRANSPOSE:
            return true;
        case GGML_OP_MUL_MAT:
        case GGML_OP_OUT_PROD:
            break;
        default:
            return false;
    }
    const ggml_tensor * a = op->src[0];
    const ggml_tensor * b = op->src[1];
    if (b->type != GGML_TYPE_F32 || op->type != GGML_TYPE_F32 || (a->type != GGML_TYPE_F32 && !ggml_get_type_traits(a->type)->to_float)) {
        return false;
    }
    if (op->op == GGML_OP_MUL_MAT && (!dense_rows(b) || ggml_get_op_params_i32(op, 1) == GGML_HINT_SRC0_IS_HADAMARD)) {
        return false;
    }
    if (!dense_rows(a) || !readable(b) || (op->op == GGML_OP_OUT_PROD && !dense_rows(b) && b->nb[1] != sizeof(float))) {
        return false;
    }
    const int64_t inner = op->op == GGML_OP_MUL_MAT ? a->ne[0] : a->ne[1];
    if (a->type != GGML_TYPE_F32 && (op->ne[1] < least_columns_of_weights || !ggml_is_matrix(a) || !ggml_is_matrix(b))) {
        return false;
    }
    return op->ne[0] * op->ne[1] * inner >= least_multiplications;
}

const char * name_of(ggml_backend_t) { return "matmul"; }
void free_backend(ggml_backend_t self) {
    delete static_cast<matmul_backend *>(self->context);
    delete self;
}

ggml_guid_t guid() {
    static ggml_guid id = { 0x6c, 0x6c, 0x61, 0x6d, 0x61, 0x74, 0x75, 0x6e, 0x65, 0x2d, 0x6d, 0x61, 0x74, 0x6d, 0x75, 0x6c };
    return &id;
}

void set_n_threads(ggml_backend_t self, int n) {
    matmul_backend & backend = *static_cast<matmul_backend *>(self->context);
    backend.n_threads = n;
    backend.products.~gemm();
    new (&backend.products) gemm(n);
}

ggml_backend_t make_backend(ggml_backend_dev_t device, const char * parameters) {
    static const ggml_backend_i calls = [] {
        ggml_backend_i c {};
        c.get_name = name_of;
        c.free = free_backend;
        c.graph_compute = compute_graph;
        return c;
    }();
    auto * context = new matmul_backend;
    if (parameters && !std::strcmp(parameters, "bf16") && gemm_has_fast_bf16()) context->weights = gemm_type::bf16;
    return new ggml_backend { guid(), calls, device, context };
}

ggml_backend_device make_device() {
    ggml_backend_device device {};
    device.iface.get_name = [](ggml_backend_dev_t) { return "matmul"; };
    device.iface.get_description = [](ggml_backend_dev_t) { return "CPU matrix products (oneDNN)"; };
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
    device.iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) { return ggml_backend_buft_is_host(type); };
    return device;
}

}

void register_matmul_device() {
    static std::once_flag once;
    std::call_once(once, [] {
        static ggml_backend_device device = make_device();
        static ggml_backend_reg registry {};
        registry.api_version = GGML_BACKEND_API_VERSION;
        registry.iface.get_name = [](ggml_backend_reg_t) { return "matmul"; };
        registry.iface.get_device_count = [](ggml_backend_reg_t) -> size_t { return 1; };
        registry.iface.get_device = [](ggml_backend_reg_t, size_t) { return &device; };
        registry.iface.get_proc_address = [](ggml_backend_reg_t, const char * name) -> void * {
            return !std::strcmp(name, "ggml_backend_set_n_threads") ? reinterpret_cast<void *>(set_n_threads) : nullptr;
        };
        device.reg = &registry;
        ggml_backend_register(&registry);
    });
}

}
