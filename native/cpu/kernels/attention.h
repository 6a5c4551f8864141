#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <cstdint>

namespace llamatune {

// softmax(scale · q kᵀ + slope · mask) v without the square of probabilities: by blocks of queries and keys, in memory
// linear in the number of tokens (FlashAttention-2, https://arxiv.org/abs/2307.08691). Masked blocks cost nothing.

// F32 rows per position, head and stream, with dense elements; distances in elements.
struct attention_rows {
    float * data;
    int64_t row, head, stream;

    float * at(int64_t i, int64_t i_head, int64_t i_stream) const {
        return data + i * row + i_head * head + i_stream * stream;
    }
};

struct attention_shape {
    int64_t head_size, value_size; // of queries and keys; of values
    int64_t n_queries, n_keys;     // of a stream
    int64_t n_heads, n_key_heads;  // n_heads / n_key_heads query heads share a key head
    int64_t n_streams;
    float scale, max_bias; // max_bias > 0: ALiBi, each head has a slope
};

struct attention_inputs {
    attention_shape shape;
    attention_rows q, k, v;
    const ggml_tensor * mask; // [n_keys, >= n_queries, 1, 1 or n_streams] F32 or F16, or null
    const float * tiles;      // of attention_tiles(), with a mask
    const float * sinks;      // [n_heads], or null
};

// The state of each tile of 64 queries × 64 keys: all masked (0), partly masked or with a bias (1), not masked (2).
// tiles: [⌈n_keys / 64⌉, ⌈n_queries / 64⌉, streams of the mask].
int64_t attention_tile_count(int64_t n);
void attention_tiles(const ggml_tensor * mask, int64_t n_queries, float * tiles, executor & exec);

// out: a row of value_size per query, zero if all keys of the query are masked. log_sums [n_queries, n_heads,
// n_streams]: the logarithm of each row's sum of exponentials, for the backward pass.
void attention_forward(const attention_inputs & in, const attention_rows & out, float * log_sums, executor & exec);
scratch_need attention_scratch(const attention_shape & shape, const executor & exec);

// Gradients of queries, keys and values; those with null data are not computed.
struct attention_gradients {
    attention_rows q, k, v;
};
void attention_backward(const attention_inputs & in, const attention_rows & out, const float * log_sums,
                        const attention_rows & d_out, const attention_gradients & gradients, executor & exec);
scratch_need attention_backward_scratch(const attention_shape & shape, const executor & exec);

// d_sinks: [n_heads]. A sink takes a share of the probability and has no value.
void attention_sinks_backward(const attention_inputs & in, const attention_rows & out, const float * log_sums,
                              const attention_rows & d_out, float * d_sinks, executor & exec);

}
