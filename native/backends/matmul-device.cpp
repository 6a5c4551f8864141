#include "backends/matmul-device.h"

#include "core/cpu.h"
#include "kernels/convert.h"
#include "kernels/executor.h"
#include "kernels/host-op.h"
#include "kernels/inference-nodes.h"
#include "kernels/tiled-weights.h"
#include "kernels/weight-product.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-impl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace llamatune {

namespace {

// Below these a product is cheaper where it is: no dequantizing of a whole matrix for a few tokens, no call for a few
// thousand multiplications.
constexpr int64_t least_columns_of_weights = 32;
constexpr int64_t least_multiplications    = 64 * 64 * 64;

bool dense_rows(const ggml_tensor * t) { return t->nb[0] == ggml_type_size(t->type); }

int64_t elements(size_t bytes) { return int64_t(bytes / sizeof(float)); }

gemm_operand flipped(const gemm_operand & o) { return { o.data, o.column_stride, o.row_stride }; }

// A window of one matrix of a tensor: `n_rows` rows from `row`, `n_columns` elements of each from `column`.
struct window { const ggml_tensor * t; int64_t i2, i3, row, n_rows, column, n_columns; };

char * address(const window & w) {
    const ggml_tensor * t = w.t;
    return static_cast<char *>(t->data) + size_t(w.i3) * t->nb[3] + size_t(w.i2) * t->nb[2] + size_t(w.row) * t->nb[1] +
           size_t(w.column / ggml_blck_size(t->type)) * t->nb[0];
}

// The window as an operand with the tensor's rows as its rows: as it is where it is F32 and F32 is wanted, else
// converted into `space`.
gemm_operand operand(const window & w, gemm_type type, room & space) {
    const ggml_tensor * t = w.t;
    if (type == gemm_type::f32 && t->type == GGML_TYPE_F32) {
        return { address(w), elements(t->nb[1]), elements(t->nb[0]) };
    }
    if (!dense_rows(t)) { // a transposed view: convert along its dense direction, read it the other way round
        ggml_tensor turned = *t;
        std::swap(turned.ne[0], turned.ne[1]);
        std::swap(turned.nb[0], turned.nb[1]);
        return flipped(operand({ &turned, w.i2, w.i3, w.column, w.n_columns, w.row, w.n_rows }, type, space));
    }
    if (type == gemm_type::bf16) {
        uint16_t * converted = space.of<uint16_t>(w.n_rows * w.n_columns);
        rows_to_bf16(t->type, address(w), t->nb[1], w.n_columns, w.n_rows, converted);
        return { converted, w.n_columns, 1 };
    }
    float * converted = space.of<float>(w.n_rows * w.n_columns);
    rows_to_f32(t->type, address(w), t->nb[1], w.n_columns, w.n_rows, converted);
    return { converted, w.n_columns, 1 };
}

// The small products of LoRA pairs stay F32: they are cheap, and the adapter is what is trained.
gemm_type type_of(const executor & on, const ggml_tensor * node) {
    const int64_t inner = node->op == GGML_OP_MUL_MAT ? node->src[0]->ne[0] : node->src[0]->ne[1];
    return std::min({ node->ne[0], node->ne[1], inner }) < 64 ? gemm_type::f32 : on.operands();
}

window whole(const ggml_tensor * t, int64_t i2, int64_t i3) { return { t, i2, i3, 0, t->ne[1], 0, t->ne[0] }; }

// The second source of a product without batches, converted by all threads before the products start.
gemm_operand shared_operand(executor & on, const ggml_tensor * t, gemm_type type) {
    if (type == gemm_type::f32 || !dense_rows(t)) {
        return operand(whole(t, 0, 0), type, on.shared(0));
    }
    uint16_t * converted = on.shared(0).of<uint16_t>(t->ne[0] * t->ne[1]);
    constexpr int64_t step = 64;
    on.run((t->ne[1] + step - 1) / step, [&](int64_t piece, int) {
        const int64_t row = piece * step, n = std::min(step, t->ne[1] - row);
        rows_to_bf16(t->type, address({ t, 0, 0, row, n, 0, t->ne[0] }), t->nb[1], t->ne[0], n, converted + row * t->ne[0]);
    });
    return { converted, t->ne[0], 1 };
}

// How a product is cut: by matrices of the batch, and each by rows of the result's first dimension. A piece's weights are
// converted by the thread that multiplies them, so that they are still in its cache.
struct cut {
    cut(const ggml_tensor * node, int64_t unit, int n_threads) : node(node) {
        const int64_t matrices = node->ne[2] * node->ne[3];
        const int64_t wanted = (4 * n_threads + matrices - 1) / matrices; // pieces per matrix: enough to balance
        step = std::max<int64_t>((node->ne[0] + wanted - 1) / wanted, 128);
        step = std::min<int64_t>((std::min<int64_t>(step, 512) + unit - 1) / unit * unit, node->ne[0]);
        per_matrix = (node->ne[0] + step - 1) / step;
    }
    int64_t pieces() const { return per_matrix * node->ne[2] * node->ne[3]; }
    int64_t first(int64_t piece) const { return piece % per_matrix * step; }
    int64_t count(int64_t piece) const { return std::min(step, node->ne[0] - first(piece)); }
    int64_t i2(int64_t piece) const { return piece / per_matrix % node->ne[2]; }
    int64_t i3(int64_t piece) const { return piece / per_matrix / node->ne[2]; }

    const ggml_tensor * node;
    int64_t             step, per_matrix;
};

float * result(const ggml_tensor * node, const cut & c, int64_t piece) {
    return reinterpret_cast<float *>(address({ node, c.i2(piece), c.i3(piece), 0, 0, c.first(piece), 0 }));
}

// dst[m, n] = Σ_k a[k, m] b[k, n], in rows: dst (n × m) = b (n × k) · aᵀ (k × m); cut along m, rows of a
void run_mul_mat(executor & on, ggml_tensor * node) {
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    const gemm_type type = type_of(on, node);
    const int64_t r2 = b->ne[2] / a->ne[2], r3 = b->ne[3] / a->ne[3];
    const cut c(node, 1, on.n_threads());
    const bool batched = node->ne[2] * node->ne[3] > 1;
    const gemm_operand shared = batched ? gemm_operand {} : shared_operand(on, b, type);
    on.run(c.pieces(), [&](int64_t piece, int thread) {
        const int64_t i2 = c.i2(piece), i3 = c.i3(piece);
        const gemm_operand weights = operand({ a, i2 / r2, i3 / r3, c.first(piece), c.count(piece), 0, a->ne[0] }, type, on.own(thread, 0));
        const gemm_operand x = batched ? operand(whole(b, i2, i3), type, on.own(thread, 1)) : shared;
        on.products(thread).run(type, node->ne[1], c.count(piece), a->ne[0], x, flipped(weights), result(node, c, piece), elements(node->nb[1]));
    });
}

// dst[k, n] = Σ_m a[k, m] b[n, m], in rows: dst (n × k) = bᵀ (n × m) · a (m × k); cut along k, columns of a, and what is
// converted of a at a time also along m
void run_out_prod(executor & on, ggml_tensor * node) {
    constexpr int64_t most_rows = 2048;
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    const gemm_type type = type_of(on, node);
    const int64_t r2 = b->ne[2] / a->ne[2], r3 = b->ne[3] / a->ne[3];
    const cut c(node, ggml_blck_size(a->type), on.n_threads());
    const bool batched = node->ne[2] * node->ne[3] > 1;
    const gemm_operand shared = batched ? gemm_operand {} : shared_operand(on, b, type);
    const size_t unit = type == gemm_type::bf16 ? sizeof(uint16_t) : sizeof(float);
    on.run(c.pieces(), [&](int64_t piece, int thread) {
        const int64_t i2 = c.i2(piece), i3 = c.i3(piece);
        const gemm_operand right = batched ? operand(whole(b, i2, i3), type, on.own(thread, 1)) : shared; // rows along m
        for (int64_t row = 0; row < a->ne[1]; row += most_rows) {
            const int64_t n_rows = std::min(most_rows, a->ne[1] - row);
            const gemm_operand left = operand({ a, i2 / r2, i3 / r3, row, n_rows, c.first(piece), c.count(piece) }, type, on.own(thread, 0));
            gemm_operand part = flipped(right);
            part.data = static_cast<const char *>(part.data) + size_t(row * part.column_stride) * unit;
            on.products(thread).run(type, node->ne[1], c.count(piece), n_rows, part, left, result(node, c, piece), elements(node->nb[1]), row > 0);
        }
    });
}

// Products with a matrix of weights: panels of it are converted once for all tokens.
bool is_weight_product(const executor & on, const ggml_tensor * node) {
    const ggml_tensor * w = node->src[0];
    return w->op == GGML_OP_NONE && ggml_is_matrix(w) && ggml_is_matrix(node->src[1]) && dense_rows(w) &&
           (w->type != GGML_TYPE_F32 || type_of(on, node) == gemm_type::bf16);
}

void run_weight_product(executor & on, ggml_tensor * node) {
    const ggml_tensor * x = node->src[1];
    const bool forward = node->op == GGML_OP_MUL_MAT;
    const weight_product product { node->src[0], forward ? direction::forward : direction::backward };
    // the other way, an output matrix would make activations of a hundred thousand values
    constexpr int64_t most_inner = 2048;
    const int64_t n = node->ne[1], inner = product.n_inner(), stride = elements(x->nb[forward ? 1 : 0]);
    float * to = static_cast<float *>(node->data);
    for (int64_t first = 0; first < inner;) {
        const int64_t width = forward || inner <= 2 * most_inner ? inner : std::min(most_inner, inner - first);
        const int64_t padded_width = padded(width, packed_rows);
        const bool whole = forward && width == inner, held = whole && on.holds_input(x, padded_width);
        const activation rows = make_activation(held ? on.held_input() : on.input_room(), on.operands(), n, width);
        if (!held) convert_rows(on, static_cast<const float *>(x->data) + first, stride, width, rows);
        if (whole) on.set_input(x, padded_width);
        product.run_part(on, rows, first, to, elements(node->nb[1]), first > 0);
        first += width;
    }
}

void run_product(executor & on, ggml_tensor * node) {
    const bool forward = node->op == GGML_OP_MUL_MAT;
    const ggml_tensor * x = node->src[1];
    const bool rows_along = forward ? dense_rows(x) : x->nb[1] == sizeof(float); // each token's values side by side
    if (rows_along && is_weight_product(on, node)) {
        run_weight_product(on, node);
    } else if (forward) {
        run_mul_mat(on, node);
    } else {
        run_out_prod(on, node);
    }
}

// A back end of the device.
struct context {
    executor on;
    bool     for_inference; // made by llama.cpp: operands by the type of each weight, and LoRA pairs fused
};

// What loses nothing against ggml's own products: those round activations to 8 bits for quantized weights and to
// bfloat16 for such weights.
gemm_type operands_for(const ggml_tensor * w) {
    const bool rounds = ggml_is_quantized(w->type) || w->type == GGML_TYPE_BF16;
    return rounds && gemm_has_fast_bf16() ? gemm_type::bf16 : gemm_type::f32;
}

// The pairs' factors are F32, and no weight of a layer is that small.
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

void run_node(executor & on, ggml_tensor * node) {
    switch (node->op) {
        case GGML_OP_MUL_MAT:
        case GGML_OP_OUT_PROD:
            return run_product(on, node);
        case GGML_OP_CUSTOM:
            return run_host_op(node, on);
        case GGML_OP_SCALE:
        case GGML_OP_ADD:
            return run_pair_tail(on, node);
        case GGML_OP_FLASH_ATTN_EXT:
            return run_attention(on, node);
        default:
            return;
    }
}

ggml_status compute_graph(ggml_backend_t self, ggml_cgraph * graph) {
    context & own = *static_cast<context *>(self->context);
    executor & on = own.on;
    on.set_input(nullptr, 0);
    for (int i = 0; i < graph->n_nodes; i++) {
        ggml_tensor * node = graph->nodes[i];
        if (!(node->flags & GGML_TENSOR_FLAG_COMPUTE)) continue;
        try {
            if (own.for_inference && node->op == GGML_OP_MUL_MAT && node->src[0]->op == GGML_OP_NONE) {
                // what the layer's own weights say holds for its pairs and its attention too
                if (!is_lora_factor(node) && on.operands() != operands_for(node->src[0])) {
                    on.set_operands(operands_for(node->src[0]));
                    on.set_input(nullptr, 0);
                }
                if (is_whole_pair(graph, i)) {
                    run_pair(on, graph->nodes + i);
                    i += pair_length - 1;
                    continue;
                }
            }
            run_node(on, node);
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

// Weights that ggml has laid out for AMX: of quantized ones the columns that the packed layout can take.
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
        case GGML_OP_TRANSPOSE:
            return true;
        case GGML_OP_CUSTOM:
            return is_host_op(op);
        case GGML_OP_SCALE:
        case GGML_OP_ADD:
            return is_pair_tail(op);
        case GGML_OP_FLASH_ATTN_EXT:
            return can_attend(op);
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
    if (in_tiles_buffer(a) && !reads_packed(op)) return false;
    const int64_t inner = op->op == GGML_OP_MUL_MAT ? a->ne[0] : a->ne[1];
    if (a->type != GGML_TYPE_F32 && (op->ne[1] < least_columns_of_weights || !ggml_is_matrix(a) || !ggml_is_matrix(b))) {
        return false;
    }
    return op->ne[0] * op->ne[1] * inner >= least_multiplications;
}

const char * name_of(ggml_backend_t) { return "matmul"; }
void free_backend(ggml_backend_t self) {
    delete static_cast<context *>(self->context);
    delete self;
}

ggml_guid_t guid() {
    static ggml_guid id = { 0x6c, 0x6c, 0x61, 0x6d, 0x61, 0x74, 0x75, 0x6e, 0x65, 0x2d, 0x6d, 0x61, 0x74, 0x6d, 0x75, 0x6c };
    return &id;
}

void set_n_threads(ggml_backend_t self, int n) {
    static_cast<context *>(self->context)->on.set_n_threads(n);
}

ggml_backend_t make_backend(ggml_backend_dev_t device, const char * parameters) {
    static const ggml_backend_i calls = [] {
        ggml_backend_i c {};
        c.get_name = name_of;
        c.free = free_backend;
        c.graph_compute = compute_graph;
        return c;
    }();
    const bool bf16 = parameters && !std::strcmp(parameters, "bf16") && gemm_has_fast_bf16();
    auto * own = new context { executor(usable_physical_cores(), bf16 ? gemm_type::bf16 : gemm_type::f32), parameters == nullptr };
    return new ggml_backend { guid(), calls, device, own };
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
    device.iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) { return reads_buffer(type); };
    return device;
}

}

void register_matmul_device() {
    static std::once_flag once;
    if (const char * off = std::getenv("LLAMATUNE_MATMUL"); off && !std::strcmp(off, "off")) {
        return; // for comparing with ggml's own products
    }
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
