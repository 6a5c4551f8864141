#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace llamatune {

// Activations as rows of operands: `width` values (bf16 or F32) for each of `n` tokens, padded with zeros to `stride`.
// Behind the activation, a row may have the values that multiply the `extra` rows of weight_product.
struct activation {
    gemm_type type;
    int64_t n, width, stride;
    void * data;

    gemm_operand operand(int64_t token, int64_t column = 0) const {
        return {static_cast<const char *>(data) + size_t(token * stride + column) * size_of(type), stride, 1};
    }
};

// The shape of rows for `n` tokens of `width` values, without memory.
activation activation_shape(gemm_type type, int64_t n, int64_t width);
inline int64_t bytes_of(const activation & a) { return a.n * a.stride * int64_t(size_of(a.type)); }
// Memory for `n` tokens of `width` values in `in`, padded to whole blocks; convert_rows() fills it.
activation make_activation(scratch_buffer & in, gemm_type type, int64_t n, int64_t width);
// Converts `n` bf16 rows of `width` values, `stride` values apart, to the packed layout, with the rows as inner
// dimension.
void interleave_rows(const uint16_t * rows, int64_t stride, int64_t n, int64_t width, uint16_t * out);
// Converts the first `count` values of F32 rows, `row_stride` apart, into the rows of `to`, followed by zeros; on all
// threads.
void convert_rows(executor & exec, const float * from, int64_t row_stride, int64_t count, const activation & to);
// The same for tokens [token, token + n), on the calling thread.
void convert_tokens(const float * from, int64_t row_stride, int64_t count, const activation & to, int64_t token,
                    int64_t n);

// The product with a weight [in, out] (in ggml: `out` rows of `in` values, any type).
enum class product_direction {
    forward, // result[token, out] = Σ_in  x[token, in] · W[out, in]
    backward // result[token, in]  = Σ_out x[token, out] · W[out, in]
};

// result[token, n] (+)= Σ_k x[token, k] · W'[k, n], where W' is the weight with the `n_extra` rows of `extra` below it
// (LoRA's second factor: [n_extra, n], row r and column c at extra[r * extra_row + c * extra_column]). The thread that
// multiplies a panel of columns converts it.
struct weight_product {
    const ggml_tensor * weight;
    product_direction direction;
    const float * extra = nullptr;
    int64_t n_extra = 0, extra_row = 0, extra_column = 0;
    bool tokens_of_batch = false; // the result's rows are the micro-batch's tokens: padding blocks become zero

    // without the extra rows
    int64_t n_inner() const { return direction == product_direction::forward ? weight->ne[0] : weight->ne[1]; }
    int64_t n_columns() const { return direction == product_direction::forward ? weight->ne[1] : weight->ne[0]; }

    // Computes columns [column, column + width) for all of x on the calling thread, and calls take(token, n, block) for
    // each block of tokens: `n` dense rows of `width`.
    using taker = std::function<void(int64_t token, int64_t n, const float * block)>;
    void run_columns(executor & exec, int thread, const activation & x, int64_t column, int64_t width,
                     const taker & take, const uint16_t * kept = nullptr) const;
    // The inner rows [first, first + x.width) of W' in the layout of products, if a weight cache may keep them: only
    // weights of the model, which no step changes, and only if this CPU's products read another layout.
    std::optional<packed_weight> packed(const activation & x, int64_t first = 0) const;
    // The packed W' for activations x from the executor's weight cache, which is filled first if necessary; null if the
    // weight is not kept. Only outside of executor::run().
    const uint16_t * kept_panels(executor & exec, const activation & x, int64_t first = 0) const;
    // Columns per panel.
    int64_t panel_width(const executor & exec, const activation & x) const;
    // The scratch memory of a thread: its panel and a block of the result.
    int64_t thread_bytes(const executor & exec, const activation & x) const;

    void run(executor & exec, const activation & x, float * result, int64_t result_stride,
             bool accumulate = false) const;
    // With the inner rows [first, first + x.width) only: for activations that are too wide to convert at once.
    void run_part(executor & exec, const activation & x, int64_t first, float * result, int64_t result_stride,
                  bool accumulate) const;

private:
    int64_t unit_columns() const; // panels start at multiples of this
};

// Appends packed() to the weights of a need.
void add_packed(scratch_need & need, const weight_product & product, const activation & x, int64_t first = 0);

}
