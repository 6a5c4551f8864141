#include "cpu/kernels/node-products.h"

#include "cpu/kernels/convert.h"
#include "cpu/kernels/weight-product.h"

#include <algorithm>
#include <utility>

namespace llamatune {

namespace {

int64_t elements(size_t bytes) { return int64_t(bytes / sizeof(float)); }

gemm_operand flipped(const gemm_operand & o) { return {o.data, o.column_stride, o.row_stride}; }

// A window of one matrix of a tensor: `n_rows` rows from `row`, `n_columns` elements of each from `column`.
struct window {
    const ggml_tensor * t;
    int64_t i2, i3, row, n_rows, column, n_columns;
};

char * address(const window & w) {
    const ggml_tensor * t = w.t;
    return static_cast<char *>(t->data) + size_t(w.i3) * t->nb[3] + size_t(w.i2) * t->nb[2] + size_t(w.row) * t->nb[1] +
           size_t(w.column / ggml_blck_size(t->type)) * t->nb[0];
}

// The window as an operand with the same rows: without a copy if it is F32 and `type` is F32, otherwise converted into
// `space`.
gemm_operand operand(const window & w, gemm_type type, scratch_buffer & space) {
    const ggml_tensor * t = w.t;
    if (type == gemm_type::f32 && t->type == GGML_TYPE_F32) {
        return {address(w), elements(t->nb[1]), elements(t->nb[0])};
    }
    if (!dense_rows(t)) { // a transposed view: convert along the dense dimension and read the transpose
        ggml_tensor turned = *t;
        std::swap(turned.ne[0], turned.ne[1]);
        std::swap(turned.nb[0], turned.nb[1]);
        return flipped(operand({&turned, w.i2, w.i3, w.column, w.n_columns, w.row, w.n_rows}, type, space));
    }
    if (type == gemm_type::bf16) {
        uint16_t * converted = space.get<uint16_t>(w.n_rows * w.n_columns);
        rows_to_bf16(t->type, address(w), t->nb[1], w.n_columns, w.n_rows, converted);
        return {converted, w.n_columns, 1};
    }
    float * converted = space.get<float>(w.n_rows * w.n_columns);
    rows_to_f32(t->type, address(w), t->nb[1], w.n_columns, w.n_rows, converted);
    return {converted, w.n_columns, 1};
}

// The small products of LoRA pairs stay F32: they are cheap, and the adapter is what is trained.
gemm_type type_of(const executor & exec, const ggml_tensor * node) {
    const int64_t inner = node->op == GGML_OP_MUL_MAT ? node->src[0]->ne[0] : node->src[0]->ne[1];
    return std::min({node->ne[0], node->ne[1], inner}) < 64 ? gemm_type::f32 : exec.operands();
}

window whole(const ggml_tensor * t, int64_t i2, int64_t i3) { return {t, i2, i3, 0, t->ne[1], 0, t->ne[0]}; }

// The second source of a product without batches, converted by all threads before the products start.
gemm_operand shared_operand(executor & exec, const ggml_tensor * t, gemm_type type) {
    if (type == gemm_type::f32 || !dense_rows(t)) { return operand(whole(t, 0, 0), type, exec.shared_scratch(0)); }
    uint16_t * converted = exec.shared_scratch(0).get<uint16_t>(t->ne[0] * t->ne[1]);
    constexpr int64_t step = 64;
    exec.run((t->ne[1] + step - 1) / step, [&](int64_t piece, int) {
        const int64_t row = piece * step, n = std::min(step, t->ne[1] - row);
        rows_to_bf16(t->type, address({t, 0, 0, row, n, 0, t->ne[0]}), t->nb[1], t->ne[0], n,
                     converted + row * t->ne[0]);
    });
    return {converted, t->ne[0], 1};
}

// Divides a product into pieces: by matrices of the batch, and each by rows of the result's first dimension. The thread
// that multiplies a piece converts its weights, so that they are still in its cache.
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
    int64_t step, per_matrix;
};

float * result(const ggml_tensor * node, const cut & c, int64_t piece) {
    return reinterpret_cast<float *>(address({node, c.i2(piece), c.i3(piece), 0, 0, c.first(piece), 0}));
}

// dst[m, n] = Σ_k a[k, m] b[k, n], in rows: dst (n × m) = b (n × k) · aᵀ (k × m); cut along m, rows of a
void run_mul_mat(executor & exec, ggml_tensor * node) {
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    const gemm_type type = type_of(exec, node);
    const int64_t r2 = b->ne[2] / a->ne[2], r3 = b->ne[3] / a->ne[3];
    const cut c(node, 1, exec.n_threads());
    const bool batched = node->ne[2] * node->ne[3] > 1;
    const gemm_operand shared = batched ? gemm_operand{} : shared_operand(exec, b, type);
    exec.run(c.pieces(), [&](int64_t piece, int thread) {
        const int64_t i2 = c.i2(piece), i3 = c.i3(piece);
        const gemm_operand weights =
            operand({a, i2 / r2, i3 / r3, c.first(piece), c.count(piece), 0, a->ne[0]}, type, exec.scratch(thread, 0));
        const gemm_operand x = batched ? operand(whole(b, i2, i3), type, exec.scratch(thread, 1)) : shared;
        exec.products(thread).run(type, node->ne[1], c.count(piece), a->ne[0], x, flipped(weights),
                                  result(node, c, piece), elements(node->nb[1]));
    });
}

// dst[k, n] = Σ_m a[k, m] b[n, m], in rows: dst (n × k) = bᵀ (n × m) · a (m × k); cut along k, columns of a;
// conversions of a are also cut along m
void run_out_prod(executor & exec, ggml_tensor * node) {
    constexpr int64_t most_rows = 2048;
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    const gemm_type type = type_of(exec, node);
    const int64_t r2 = b->ne[2] / a->ne[2], r3 = b->ne[3] / a->ne[3];
    const cut c(node, ggml_blck_size(a->type), exec.n_threads());
    const bool batched = node->ne[2] * node->ne[3] > 1;
    const gemm_operand shared = batched ? gemm_operand{} : shared_operand(exec, b, type);
    const size_t unit = type == gemm_type::bf16 ? sizeof(uint16_t) : sizeof(float);
    exec.run(c.pieces(), [&](int64_t piece, int thread) {
        const int64_t i2 = c.i2(piece), i3 = c.i3(piece);
        const gemm_operand right =
            batched ? operand(whole(b, i2, i3), type, exec.scratch(thread, 1)) : shared; // rows along m
        for (int64_t row = 0; row < a->ne[1]; row += most_rows) {
            const int64_t n_rows = std::min(most_rows, a->ne[1] - row);
            const gemm_operand left = operand({a, i2 / r2, i3 / r3, row, n_rows, c.first(piece), c.count(piece)}, type,
                                              exec.scratch(thread, 0));
            gemm_operand part = flipped(right);
            part.data = static_cast<const char *>(part.data) + size_t(row * part.column_stride) * unit;
            exec.products(thread).run(type, node->ne[1], c.count(piece), n_rows, part, left, result(node, c, piece),
                                      elements(node->nb[1]), row > 0);
        }
    });
}

// Products with a matrix of weights: panels of it are converted once for all tokens.
bool is_weight_product(const executor & exec, const ggml_tensor * node) {
    const ggml_tensor * w = node->src[0];
    const bool tokens_are_dense =
        node->op == GGML_OP_MUL_MAT ? dense_rows(node->src[1]) : node->src[1]->nb[1] == sizeof(float);
    return tokens_are_dense && w->op == GGML_OP_NONE && ggml_is_matrix(w) && ggml_is_matrix(node->src[1]) &&
           dense_rows(w) && (w->type != GGML_TYPE_F32 || type_of(exec, node) == gemm_type::bf16);
}

weight_product weight_product_of(const ggml_tensor * node) {
    const bool forward = node->op == GGML_OP_MUL_MAT;
    return {node->src[0], forward ? product_direction::forward : product_direction::backward};
}

// The inner rows that are converted at once, out of `left`. In the backward pass, an output matrix makes activations as
// wide as the vocabulary.
int64_t inner_at_once(const weight_product & product, int64_t left) {
    constexpr int64_t most = 2048;
    const bool all = product.direction == product_direction::forward || product.n_inner() <= 2 * most;
    return all ? left : std::min(most, left);
}

void run_weight_product(executor & exec, ggml_tensor * node) {
    const ggml_tensor * x = node->src[1];
    const bool forward = node->op == GGML_OP_MUL_MAT;
    const weight_product product = weight_product_of(node);
    const int64_t n = node->ne[1], inner = product.n_inner(), stride = elements(x->nb[forward ? 1 : 0]);
    float * to = static_cast<float *>(node->data);
    for (int64_t first = 0; first < inner;) {
        const int64_t width = inner_at_once(product, inner - first), padded_width = padded(width, packed_rows);
        const bool whole = forward && width == inner, held = whole && exec.holds_input(x, padded_width);
        const activation rows =
            make_activation(held ? exec.converted_input() : exec.input_buffer(), exec.operands(), n, width);
        if (!held) convert_rows(exec, static_cast<const float *>(x->data) + first, stride, width, rows);
        if (whole) exec.set_input(x, padded_width);
        product.run_part(exec, rows, first, to, elements(node->nb[1]), first > 0);
        first += width;
    }
}

}

void run_product(executor & exec, ggml_tensor * node) {
    if (is_weight_product(exec, node)) {
        run_weight_product(exec, node);
    } else if (node->op == GGML_OP_MUL_MAT) {
        run_mul_mat(exec, node);
    } else {
        run_out_prod(exec, node);
    }
}

scratch_need product_scratch(const ggml_tensor * node, const executor & exec) {
    if (is_weight_product(exec, node)) {
        const weight_product product = weight_product_of(node);
        const int64_t inner = product.n_inner();
        const activation rows = activation_shape(exec.operands(), node->ne[1], inner_at_once(product, inner));
        scratch_need need{product.thread_bytes(exec, rows), bytes_of(rows), 0};
        for (int64_t first = 0; first < inner;) {
            const int64_t width = inner_at_once(product, inner - first);
            add_packed(need, product, activation_shape(exec.operands(), node->ne[1], width), first);
            first += width;
        }
        return need;
    }
    const bool converts = type_of(exec, node) == gemm_type::bf16 && node->ne[2] * node->ne[3] == 1;
    return {0, 0, converts ? ggml_nelements(node->src[1]) * int64_t(sizeof(uint16_t)) : 0};
}

}
