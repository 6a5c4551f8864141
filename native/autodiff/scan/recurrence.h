#pragma once

#include "core/tensor-arena.h"

namespace llamatune {

// Computes first-order recurrences over time for many numbers at once, [m, n_t, n_seqs]. The work is proportional to
// n_t, which must be a power of two; each halving of n_t makes 7 nodes. Decays are only multiplied with each other, so
// nothing overflows.
class recurrence {
public:
    explicit recurrence(tensor_arena & ctx) : ctx_(ctx) {}

    // s_t = a_t s_{t-1} + b_t, from s_{-1} = before [m, 1, n_seqs]
    ggml_tensor * forward(ggml_tensor * a, ggml_tensor * b, ggml_tensor * before);
    // s_t = a_t s_{t+1} + b_t, from s_{n_t} = after
    ggml_tensor * backward(ggml_tensor * a, ggml_tensor * b, ggml_tensor * after);

    // Shift by one token: later() drops the last token and starts with `before`; earlier() drops the first and ends
    // with `after`.
    ggml_tensor * later(ggml_tensor * t, ggml_tensor * before);
    ggml_tensor * earlier(ggml_tensor * t, ggml_tensor * after);
    ggml_tensor * tokens(ggml_tensor * t, int64_t first, int64_t n);

private:
    ggml_tensor * every_second(ggml_tensor * t, int64_t first);
    ggml_tensor * interleave(ggml_tensor * first, ggml_tensor * second);

    tensor_arena & ctx_;
};

// Sums a contiguous [inner, n, outer…] over dimension 1 by adding halves, without a copy.
ggml_tensor * sum_second(tensor_arena & ctx, ggml_tensor * t);

}
