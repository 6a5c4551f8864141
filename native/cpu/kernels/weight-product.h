#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <cstdint>
#include <functional>

namespace llamatune {

// Rows of activations as operands: `width` values (bf16 or F32) for each of `n` tokens, the rest of a row zero up to
// `stride`. A row may hold more than the activation: what multiplies the rows that weight_product adds to the weight.
struct activation {
    gemm_type type;
    int64_t n, width, stride;
    void * data;

    gemm_operand operand(int64_t token, int64_t column = 0) const {
        return {static_cast<const char *>(data) + size_t(token * stride + column) * size_of(type), stride, 1};
    }
};

// Room for `n` tokens of `width` values in `in`, padded to whole blocks; fill it with convert_rows().
activation make_activation(room & in, gemm_type type, int64_t n, int64_t width);
// `n` bf16 rows, `stride` values apart, of `width` values, into the packed layout: rows become the inner dimension.
void interleave_rows(const uint16_t * rows, int64_t stride, int64_t n, int64_t width, uint16_t * out);
// The first `count` values of F32 rows `row_stride` apart into the rows of `to`, zeros behind them; by all threads.
void convert_rows(executor & on, const float * from, int64_t row_stride, int64_t count, const activation & to);
// The same for tokens [token, token + n), on the calling thread.
void convert_tokens(const float * from, int64_t row_stride, int64_t count, const activation & to, int64_t token,
                    int64_t n);

// Which way a weight [in, out] (ggml: `out` rows of `in` values, any type) is multiplied.
enum class direction {
    forward, // result[token, out] = Σ_in  x[token, in] · W[out, in]
    backward // result[token, in]  = Σ_out x[token, out] · W[out, in]
};

// result[token, n] (+)= Σ_k x[token, k] · W'[k, n], where W' is the weight, and below it the `n_extra` rows of `extra`
// (LoRA's second factor: [n_extra, n], row r and column c at extra[r * extra_row + c * extra_column]). The weight is
// converted by the thread that multiplies it, a panel of columns at a time.
struct weight_product {
    const ggml_tensor * weight;
    direction way;
    const float * extra = nullptr;
    int64_t n_extra = 0, extra_row = 0, extra_column = 0;
    bool tokens_of_batch = false; // the result's rows are the micro-batch's tokens: padding becomes zero

    // of the weight without the extra rows
    int64_t n_inner() const { return way == direction::forward ? weight->ne[0] : weight->ne[1]; }
    int64_t n_columns() const { return way == direction::forward ? weight->ne[1] : weight->ne[0]; }

    // Columns [column, column + width) for all of x, on the calling thread: a block of tokens at a time goes to
    // take(token, n, block), `n` dense rows of `width`.
    using taker = std::function<void(int64_t token, int64_t n, const float * block)>;
    void run_columns(executor & on, int thread, const activation & x, int64_t column, int64_t width,
                     const taker & take) const;
    // How many columns to take at a time.
    int64_t panel_width(const executor & on, const activation & x) const;

    void run(executor & on, const activation & x, float * result, int64_t result_stride, bool accumulate = false) const;
    // Of the inner rows [first, first + x.width) only: for products whose activations are too many to convert at once.
    void run_part(executor & on, const activation & x, int64_t first, float * result, int64_t result_stride,
                  bool accumulate) const;
};

}
