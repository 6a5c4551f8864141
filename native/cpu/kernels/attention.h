#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <cstdint>

namespace llamatune {

// softmax(scale · q kᵀ + slope · mask) v without the square of probabilities: by blocks of queries and keys, in memory
// linear in the number of tokens (FlashAttention-2, https://arxiv.org/abs/2307.08691). Keys that no query of a block
// sees cost nothing.

// Rows of F32 for each position, head and stream; distances in elements. The elements of a row are dense.
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
    int64_t n_heads, n_key_heads;  // a key's head serves n_heads / n_key_heads of the queries'
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

// What a mask says of each 64 queries × 64 keys: nothing is seen (0), some or with a bias (1), all without a bias (2).
// tiles: [⌈n_keys / 64⌉, ⌈n_queries / 64⌉, streams of the mask].
int64_t attention_tile_count(int64_t n);
void attention_tiles(const ggml_tensor * mask, int64_t n_queries, float * tiles, executor & on);

// out: a row of value_size for each query; zero where a query sees nothing. log_sums [n_queries, n_heads, n_streams]:
// of the exponentials of each row, which the backward pass needs.
void attention_forward(const attention_inputs & in, const attention_rows & out, float * log_sums, executor & on);

// Gradients given that of the result. Those of null data are not wanted.
struct attention_gradients {
    attention_rows q, k, v;
};
void attention_backward(const attention_inputs & in, const attention_rows & out, const float * log_sums,
                        const attention_rows & d_out, const attention_gradients & gradients, executor & on);

// [n_heads]: a sink holds the rest of the probability, and nothing flows out of it.
void attention_sinks_backward(const attention_inputs & in, const attention_rows & out, const float * log_sums,
                              const attention_rows & d_out, float * d_sinks, executor & on);

}
