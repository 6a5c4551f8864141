#include "device/cuda-stand-in/cuda-stand-in.h"

#include "core/ggml-ptr.h"
#include "device/cuda-stand-in/supports-op.h"

#include <ggml-backend-impl.h>
#include <ggml-impl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace cuda_stand_in {

namespace {

// ---- memory

constexpr size_t alignment = 128; // of CUDA's buffers
constexpr size_t memory_bytes = 80ull << 30;

ggml_backend_device & device();

memory kind_of_memory = memory::host;

void free_buffer(ggml_backend_buffer_t buffer) { std::free(buffer->context); }

// With memory::none, an address that nothing reads or writes.
void * base_of(ggml_backend_buffer_t buffer) {
    const auto address = reinterpret_cast<uintptr_t>(buffer->context) + 1;
    return reinterpret_cast<void *>((address + alignment - 1) / alignment * alignment);
}

char * at(const ggml_tensor * t, size_t offset) { return static_cast<char *>(t->data) + offset; }

ggml_backend_buffer_i buffer_calls() {
    ggml_backend_buffer_i c{};
    c.free_buffer = free_buffer;
    c.get_base = base_of;
    if (kind_of_memory == memory::none) {
        c.memset_tensor = [](ggml_backend_buffer_t, ggml_tensor *, uint8_t, size_t, size_t) {};
        c.set_tensor = [](ggml_backend_buffer_t, ggml_tensor *, const void *, size_t, size_t) {};
        c.get_tensor = [](ggml_backend_buffer_t, const ggml_tensor *, void *, size_t, size_t) {};
        c.clear = [](ggml_backend_buffer_t, uint8_t) {};
        return c;
    }
    c.memset_tensor = [](ggml_backend_buffer_t, ggml_tensor * t, uint8_t value, size_t offset, size_t n) {
        std::memset(at(t, offset), value, n);
    };
    c.set_tensor = [](ggml_backend_buffer_t, ggml_tensor * t, const void * data, size_t offset, size_t n) {
        std::memcpy(at(t, offset), data, n);
    };
    c.get_tensor = [](ggml_backend_buffer_t, const ggml_tensor * t, void * data, size_t offset, size_t n) {
        std::memcpy(data, at(t, offset), n);
    };
    c.clear = [](ggml_backend_buffer_t b, uint8_t value) { std::memset(base_of(b), value, b->size); };
    return c;
}

ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, size_t size) {
    if (kind_of_memory == memory::none) return ggml_backend_buffer_init(type, buffer_calls(), nullptr, size);
    void * allocated = std::malloc(size + alignment);
    return allocated ? ggml_backend_buffer_init(type, buffer_calls(), allocated, size) : nullptr;
}

ggml_backend_buffer_type_t buffer_type() {
    static ggml_backend_buffer_type type = [] {
        ggml_backend_buffer_type t{};
        t.iface.get_name = [](ggml_backend_buffer_type_t) { return name; };
        t.iface.alloc_buffer = allocate;
        t.iface.get_alignment = [](ggml_backend_buffer_type_t) { return alignment; };
        t.device = &device();
        return t;
    }();
    return &type;
}

// ---- computing

// How a node asks for the factors of its product (core/matmul-type); GGML_PREC_UNDEFINED: as the back end likes.
ggml_prec asked_of(const ggml_tensor * node) { return ggml_prec(ggml_get_op_params_i32(node, 3)); }

// ggml's CPU computes OUT_PROD only for some types and not for all broadcasts, and rounds the other factor of a product
// with quantized weights to 8 bits, whatever is asked for.
bool is_product(const ggml_tensor * node) {
    return node->op == GGML_OP_OUT_PROD || (node->op == GGML_OP_MUL_MAT && node->src[0]->type != GGML_TYPE_F32 &&
                                            asked_of(node) != GGML_PREC_UNDEFINED);
}

// The numbers of a matrix of t, row by row, as a product reads them.
std::vector<float> matrix_of(const ggml_tensor * t, int64_t i2, int64_t i3, ggml_prec precision) {
    std::vector<float> values(size_t(t->ne[0] * t->ne[1]));
    for (int64_t row = 0; row < t->ne[1]; row++) {
        const char * from = at(t, size_t(row) * t->nb[1] + size_t(i2) * t->nb[2] + size_t(i3) * t->nb[3]);
        float * to = values.data() + row * t->ne[0];
        if (t->type != GGML_TYPE_F32) {
            ggml_get_type_traits(t->type)->to_float(from, to, t->ne[0]);
        } else {
            for (int64_t i = 0; i < t->ne[0]; i++) std::memcpy(to + i, from + size_t(i) * t->nb[0], sizeof(float));
        }
    }
    if (precision == GGML_PREC_BF16) {
        for (float & v : values) v = ggml_bf16_to_fp32(ggml_fp32_to_bf16(v));
    }
    return values;
}

// [n, k] -> [k, n]
std::vector<float> transposed(const std::vector<float> & t, int64_t n, int64_t k) {
    std::vector<float> result(t.size());
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < n; j++) result[size_t(j * k + i)] = t[size_t(i * n + j)];
    }
    return result;
}

double dot(const float * x, const float * y, int64_t n) {
    constexpr int64_t lanes = 8; // independent sums, which the compiler turns into vectors
    double sums[lanes] = {}, total = 0;
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        for (int64_t lane = 0; lane < lanes; lane++) sums[lane] += double(x[i + lane]) * double(y[i + lane]);
    }
    for (; i < n; i++) total += double(x[i]) * double(y[i]);
    for (const double sum : sums) total += sum;
    return total;
}

// MUL_MAT: y[i, j] = Σ a[k, i] b[k, j]; OUT_PROD: y[i, j] = Σ a[i, k] b[j, k]
void multiply(const ggml_tensor * node) {
    const ggml_tensor *a = node->src[0], *b = node->src[1];
    const int64_t m = node->ne[0], n = node->ne[1];
    const bool outer = node->op == GGML_OP_OUT_PROD;
    const int64_t inner = outer ? a->ne[1] : a->ne[0];
    for (int64_t i3 = 0; i3 < node->ne[3]; i3++) {
        for (int64_t i2 = 0; i2 < node->ne[2]; i2++) {
            std::vector<float> x =
                matrix_of(a, i2 / (node->ne[2] / a->ne[2]), i3 / (node->ne[3] / a->ne[3]), asked_of(node));
            std::vector<float> y = matrix_of(b, i2, i3, asked_of(node));
            if (outer) {
                x = transposed(x, m, inner);
                y = transposed(y, n, inner);
            }
            float * to = reinterpret_cast<float *>(at(node, size_t(i2) * node->nb[2] + size_t(i3) * node->nb[3]));
            for (int64_t j = 0; j < n; j++) {
                for (int64_t i = 0; i < m; i++) *to++ = float(dot(&x[size_t(i * inner)], &y[size_t(j * inner)], inner));
            }
        }
    }
}

ggml_status compute(ggml_backend_t self, ggml_cgraph * graph) {
    auto * cpu = static_cast<ggml_backend_t>(self->context);
    const int n = ggml_graph_n_nodes(graph);
    for (int first = 0; first < n;) {
        if (is_product(ggml_graph_node(graph, first))) {
            multiply(ggml_graph_node(graph, first++));
            continue;
        }
        int last = first;
        while (last < n && !is_product(ggml_graph_node(graph, last))) last++;
        ggml_cgraph part = ggml_graph_view(graph, first, last);
        const ggml_status status = ggml_backend_graph_compute(cpu, &part);
        if (status != GGML_STATUS_SUCCESS) return status;
        first = last;
    }
    return GGML_STATUS_SUCCESS;
}

ggml_backend_t make_backend(ggml_backend_dev_t, const char *) {
    static ggml_guid id = {0x6c, 0x6c, 0x61, 0x6d, 0x61, 0x74, 0x75, 0x6e,
                           0x65, 0x2d, 0x73, 0x74, 0x61, 0x6e, 0x64, 0x2d};
    static const ggml_backend_i calls = [] {
        ggml_backend_i c{};
        c.get_name = [](ggml_backend_t) { return name; };
        c.free = [](ggml_backend_t self) {
            ggml_backend_free(static_cast<ggml_backend_t>(self->context));
            delete self;
        };
        c.graph_compute = compute;
        return c;
    }();
    return new ggml_backend{&id, calls, &device(), ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
}

// ---- the device

bool multiplies_in(ggml_backend_dev_t, ggml_type type) { return type == GGML_TYPE_F32 || type == GGML_TYPE_BF16; }

ggml_backend_reg_t registry() {
    static ggml_backend_reg registry = [] {
        ggml_backend_reg r{};
        r.api_version = GGML_BACKEND_API_VERSION;
        r.iface.get_name = [](ggml_backend_reg_t) { return name; };
        r.iface.get_device_count = [](ggml_backend_reg_t) -> size_t { return 1; };
        r.iface.get_device = [](ggml_backend_reg_t, size_t) { return &device(); };
        r.iface.get_proc_address = [](ggml_backend_reg_t, const char * wanted) -> void * {
            return std::strcmp(wanted, "llamatune_multiplies_in") == 0 ? reinterpret_cast<void *>(multiplies_in)
                                                                       : nullptr;
        };
        return r;
    }();
    return &registry;
}

ggml_backend_device & device() {
    static ggml_backend_device made = [] {
        ggml_backend_device d{};
        d.iface.get_name = [](ggml_backend_dev_t) { return name; };
        d.iface.get_description = d.iface.get_name;
        d.iface.get_memory = [](ggml_backend_dev_t, size_t * free, size_t * total) { *free = *total = memory_bytes; };
        d.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; };
        d.iface.get_props = [](ggml_backend_dev_t self, ggml_backend_dev_props * props) {
            *props = {};
            props->name = props->description = name;
            props->type = GGML_BACKEND_DEVICE_TYPE_GPU;
            self->iface.get_memory(self, &props->memory_free, &props->memory_total);
        };
        d.iface.init_backend = make_backend;
        d.iface.get_buffer_type = [](ggml_backend_dev_t) { return buffer_type(); };
        d.iface.supports_op = [](ggml_backend_dev_t, const ggml_tensor * op) { return runs_on_cuda(op); };
        d.iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t t) { return t == buffer_type(); };
        d.reg = registry();
        return d;
    }();
    return made;
}

}

void add(memory kind) {
    kind_of_memory = kind;
    ggml_backend_register(registry());
}

}
