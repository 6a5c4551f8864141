#pragma once

#include "autodiff/engine/gradients.h"

#include <functional>
#include <vector>

namespace llamatune {

// Differentiates recurrent ops whose result is the outputs of all tokens followed by the final states. The states of
// all tokens would be far larger than the inputs, so the gradient is computed in segments of tokens, from the last to
// the first, and the op itself computes the state at the start of each segment.

// The gradients of one segment: of its sources in their order, of the state before it and of the shared source.
struct segment_gradients {
    std::vector<ggml_tensor *> sources;
    ggml_tensor * state;
    ggml_tensor * shared = nullptr;
};

// Returns the largest power of two of at most `left` tokens such that a tensor with `numbers` F32 values per token fits
// into `bytes`.
int64_t tokens_at_once(int64_t bytes, int64_t numbers, int64_t left);

struct segmented_op {
    using parts = std::vector<ggml_tensor *>; // one segment of each source: [size, n_head, n, n_seqs], contiguous

    // [size, n_head, n_t, n_seqs], or [size, n_head, n_t · n_seqs]; size and n_head may differ from source to source.
    std::vector<ggml_tensor *> sources;
    size_t like = 0;                // the source whose sizes the outputs have
    ggml_tensor * shared = nullptr; // a source that all tokens read
    ggml_tensor * state = nullptr;  // [state size, n_seqs]

    // The number of tokens of the next segment, of `left` remaining tokens.
    std::function<int64_t(int64_t left)> length;
    // Makes the op for one segment.
    std::function<ggml_tensor *(const parts &, ggml_tensor * state)> make;
    // Makes a segment's gradients, given those of its outputs, [size, n_head, n, n_seqs], and of the state after it.
    std::function<segment_gradients(const parts &, ggml_tensor * state, ggml_tensor * dy, ggml_tensor * dstate)>
        differentiate;
};

// Concatenates the tokens of all sequences, as some ops take them: [size, n_head, n · n_seqs].
ggml_tensor * in_one_sequence(gradients & g, ggml_tensor * part);

// Adds the wanted gradients of the sources, of `shared` and of the state.
void by_segments(gradients & g, const segmented_op & op, ggml_tensor * dy);

}
