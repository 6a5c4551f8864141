#include "cpu/kernels/lora-linear.h"

#include "cpu/kernels/vector-math.h"
#include "cpu/kernels/weight-product.h"

#include <algorithm>
#include <cstring>

namespace llamatune {

namespace {

constexpr int64_t tokens_at_once = 2 * executor::padding_block; // per piece of work; their rows stay in the cache
constexpr int64_t columns_at_once = 256;                        // per piece of the gradient of a factor
constexpr int64_t sum_at_once = 1024;                           // tokens per partial sum of it

int64_t pieces_of(int64_t n, int64_t step) { return (n + step - 1) / step; }

const float * floats(const ggml_tensor * t) { return static_cast<const float *>(t->data); }
int64_t row_stride(const ggml_tensor * t) { return int64_t(t->nb[1] / sizeof(float)); }

// The small factor of a pair as a right-hand operand: [rows of activations, rank]. Value (k, r) is at values[k·step_k +
// r·step_r].
class small_factor {
public:
    small_factor(executor & exec, int slot, gemm_type type, const float * values, int64_t n, int64_t rank,
                 int64_t step_k, int64_t step_r, int64_t stride)
        : type_(type), rank_(rank), stride_(stride) {
        packs_ = type == gemm_type::bf16 && gemm_packs_bf16();
        if (type == gemm_type::bf16) {
            wide_ = packs_ ? padded(rank, packed_columns) : rank;
            uint16_t * out = exec.shared_scratch(slot).get<uint16_t>(stride * wide_);
            std::memset(out, 0, size_t(stride * wide_) * sizeof(uint16_t));
            for (int64_t r = 0; r < rank; r++) {
                for (int64_t k = 0; k < n; k++) {
                    out[packs_ ? packed_index(stride, k, r) : k * wide_ + r] =
                        round_to_bf16(values[k * step_k + r * step_r]);
                }
            }
            data_ = out;
        } else {
            float * out = exec.shared_scratch(slot).get<float>(stride * rank);
            std::memset(out, 0, size_t(stride * rank) * sizeof(float));
            for (int64_t k = 0; k < n; k++) {
                for (int64_t r = 0; r < rank; r++) out[k * rank + r] = values[k * step_k + r * step_r];
            }
            wide_ = rank;
            data_ = out;
        }
    }

    static int64_t bytes(const activation & rows, int64_t rank) {
        const bool packs = rows.type == gemm_type::bf16 && gemm_packs_bf16();
        return rows.stride * (packs ? padded(rank, packed_columns) : rank) * int64_t(size_of(rows.type));
    }

    // out [n, rank] = rows [token, token + n) of x times the factor
    void multiply(gemm & products, const activation & x, int64_t token, int64_t n, float * out) const {
        if (packs_) {
            products.run_packed(n, rank_, stride_, static_cast<const uint16_t *>(x.operand(token).data),
                                static_cast<const uint16_t *>(data_), out);
        } else {
            products.run(type_, n, rank_, stride_, x.operand(token), {data_, wide_, 1}, out, rank_);
        }
    }

private:
    gemm_type type_;
    int64_t rank_, stride_, wide_ = 0;
    bool packs_;
    const void * data_ = nullptr;
};

void store_value(const activation & to, int64_t token, int64_t column, float value) {
    void * at = const_cast<void *>(to.operand(token, column).data);
    if (to.type == gemm_type::bf16) {
        *static_cast<uint16_t *>(at) = round_to_bf16(value);
    } else {
        *static_cast<float *>(at) = value;
    }
}

// Converts the rows of `from` into `to` (unless `converted`), multiplies them by the factor and `scale`, and keeps the
// result behind the values of the row (`behind`) and, unless null, transposed in `turned` [rank, n] (in the operand
// type).
struct projection {
    const small_factor & factor;
    int64_t rank;
    float scale;
    bool behind;
    void * turned;
};

void project(executor & exec, const float * from, int64_t stride, int64_t count, const activation & to, bool converted,
             const projection & p) {
    exec.run(pieces_of(to.n, tokens_at_once), [&](int64_t piece, int thread) {
        const int64_t token = piece * tokens_at_once, n = std::min(tokens_at_once, to.n - token);
        if (exec.is_padding(to.n, token, n)) {
            std::memset(const_cast<void *>(to.operand(token).data), 0, size_t(n * to.stride) * size_of(to.type));
            for (int64_t r = 0; p.turned && r < p.rank; r++) {
                std::memset(static_cast<char *>(p.turned) + size_t(r * to.n + token) * size_of(to.type), 0,
                            size_t(n) * size_of(to.type));
            }
            return;
        }
        if (!converted) convert_tokens(from, stride, count, to, token, n);
        float * out = exec.scratch(thread, 0).get<float>(n * p.rank);
        p.factor.multiply(exec.products(thread), to, token, n, out);
        activation turned{to.type, p.rank, to.n, to.n, p.turned};
        for (int64_t i = 0; i < n; i++) {
            for (int64_t r = 0; r < p.rank; r++) {
                const float value = out[i * p.rank + r] * p.scale;
                if (p.behind) store_value(to, token + i, count + r, value);
                if (p.turned) store_value(turned, r, token + i, value);
            }
        }
    });
}

// gradient(r, c) += Σ_token small[r, token] · rows[token, c], gradient(r, c) at to[r·step_r + c·step_c]
void outer_product(executor & exec, const void * small, int64_t rank, const activation & rows, int64_t count,
                   float * to, int64_t step_r, int64_t step_c) {
    const bool packs = rows.type == gemm_type::bf16 && gemm_packs_bf16();
    exec.run(pieces_of(count, columns_at_once), [&](int64_t piece, int thread) {
        const int64_t column = piece * columns_at_once, width = std::min(columns_at_once, count - column);
        float * out = exec.scratch(thread, 0).get<float>(rank * width);
        for (int64_t token = 0; token < rows.n; token += sum_at_once) {
            const int64_t n = std::min(sum_at_once, rows.n - token), depth = padded(n, packed_rows);
            const activation left{rows.type, rank, rows.n, rows.n, const_cast<void *>(small)};
            if (packs) {
                // a dense, padded piece of the small factor, and the rows interleaved by pairs
                uint16_t * a = exec.scratch(thread, 1).get<uint16_t>(rank * depth);
                for (int64_t r = 0; r < rank; r++) {
                    std::memcpy(a + r * depth, left.operand(r, token).data, size_t(n) * sizeof(uint16_t));
                    std::memset(a + r * depth + n, 0, size_t(depth - n) * sizeof(uint16_t));
                }
                uint16_t * b = exec.scratch(thread, 2).get<uint16_t>(depth * padded(width, packed_columns));
                interleave_rows(static_cast<const uint16_t *>(rows.operand(token, column).data), rows.stride, n, width,
                                b);
                exec.products(thread).run_packed(rank, width, depth, a, b, out);
            } else {
                exec.products(thread).run(rows.type, rank, width, n, left.operand(0, token),
                                          rows.operand(token, column), out, width);
            }
            for (int64_t r = 0; r < rank; r++) {
                for (int64_t c = 0; c < width; c++) to[r * step_r + (column + c) * step_c] += out[r * width + c];
            }
        }
    });
}

}

void lora_linear(executor & exec, const ggml_tensor * w, const ggml_tensor * x, const ggml_tensor * a,
                 const ggml_tensor * b, float scale, ggml_tensor * y) {
    const int64_t rank = a->ne[1], n_in = w->ne[0], n = x->ne[1];
    const gemm_type type = exec.operands();
    const bool converted = exec.holds_input(x, padded(n_in + rank, packed_rows));
    const activation rows =
        make_activation(converted ? exec.converted_input() : exec.input_buffer(), type, n, n_in + rank);
    const small_factor factor(exec, 0, type, floats(a), n_in, rank, 1, n_in, rows.stride);
    project(exec, floats(x), row_stride(x), n_in, rows, converted, {factor, rank, scale, true, nullptr});
    exec.set_input(x, rows.stride);
    const weight_product product{w, product_direction::forward, floats(b), rank, 1, rank, true};
    product.run(exec, rows, static_cast<float *>(y->data), w->ne[1]);
}

void lora_linear_back(executor & exec, const ggml_tensor * w, const ggml_tensor * x, const ggml_tensor * a,
                      const ggml_tensor * b, float scale, const ggml_tensor * dy, const lora_linear_gradients & to) {
    const int64_t rank = a->ne[1], n_in = w->ne[0], n_out = w->ne[1], n = x->ne[1];
    const gemm_type type = exec.operands();
    const auto turned = [&](int slot) {
        return static_cast<void *>(exec.shared_scratch(slot).get<char>(rank * n * int64_t(size_of(type))));
    };

    const activation dy_rows = make_activation(exec.shared_scratch(1), type, n, n_out + rank);
    const small_factor to_rank(exec, 0, type, floats(b), n_out, rank, rank, 1, dy_rows.stride);
    void * dt = turned(2); // [rank, tokens]
    project(exec, floats(dy), row_stride(dy), n_out, dy_rows, false, {to_rank, rank, scale, true, dt});
    if (to.dx) {
        const weight_product product{w, product_direction::backward, floats(a), rank, n_in, 1, true};
        product.run(exec, dy_rows, to.dx, n_in, to.add_to_dx);
    }
    if (!to.da && !to.db) return;
    // the pairs of one activation follow each other: q, k, v and gate, up
    const bool converted = exec.holds_input(x, padded(n_in + rank, packed_rows));
    const activation x_rows =
        make_activation(converted ? exec.converted_input() : exec.input_buffer(), type, n, n_in + rank);
    const small_factor to_t(exec, 0, type, floats(a), n_in, rank, 1, n_in, x_rows.stride);
    void * t = turned(4);
    project(exec, floats(x), row_stride(x), n_in, x_rows, converted, {to_t, rank, scale, false, t});
    exec.set_input(x, x_rows.stride);
    if (to.da) outer_product(exec, dt, rank, x_rows, n_in, to.da, n_in, 1);
    if (to.db) outer_product(exec, t, rank, dy_rows, n_out, to.db, 1, rank);
}

scratch_need lora_linear_scratch(const executor & exec, const ggml_tensor * w, int64_t n_tokens, int64_t rank) {
    const activation rows = activation_shape(exec.operands(), n_tokens, w->ne[0] + rank);
    const weight_product product{w, product_direction::forward};
    scratch_need need{product.thread_bytes(exec, rows), bytes_of(rows), small_factor::bytes(rows, rank)};
    add_packed(need, product, rows);
    return need;
}

scratch_need lora_linear_back_scratch(const executor & exec, const ggml_tensor * w, int64_t n_tokens, int64_t rank,
                                      bool with_dx) {
    const gemm_type type = exec.operands();
    const activation x_rows = activation_shape(type, n_tokens, w->ne[0] + rank),
                     dy_rows = activation_shape(type, n_tokens, w->ne[1] + rank);
    const weight_product product{w, product_direction::backward};
    const int64_t turned = 2 * rank * n_tokens * int64_t(size_of(type));
    scratch_need need{product.thread_bytes(exec, dy_rows), bytes_of(x_rows),
                      bytes_of(dy_rows) + turned +
                          std::max(small_factor::bytes(x_rows, rank), small_factor::bytes(dy_rows, rank))};
    if (with_dx) add_packed(need, product, dy_rows);
    return need;
}

}
