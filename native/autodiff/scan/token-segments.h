#pragma once

#include "autodiff/engine/gradients.h"

#include <functional>
#include <vector>

namespace llamatune {

// For ops that go through time with a state, and whose result is the outputs of all tokens followed by the final
// states. The states of all tokens would be far larger than what they are made from, so the gradient is made in
// segments of time, from the last to the first, and the op itself finds the state that each segment starts from.

// Of one segment: the gradients of the sources in their order, of the state before it, and of what all tokens share.
struct segment_gradients {
    std::vector<ggml_tensor *> sources;
    ggml_tensor * state;
    ggml_tensor * shared = nullptr;
};

// The largest power of two of tokens, at most `left`, of which a tensor with `numbers` F32 values per token fits
// `bytes`.
int64_t tokens_at_once(int64_t bytes, int64_t numbers, int64_t left);

struct segmented_op {
    using parts = std::vector<ggml_tensor *>; // of the sources, of one segment: [size, n_head, n, n_seqs], contiguous

    // [size, n_head, n_t, n_seqs], or [size, n_head, n_t · n_seqs]; size and n_head may differ from source to source.
    std::vector<ggml_tensor *> sources;
    size_t like = 0;                // the source whose sizes the outputs have
    ggml_tensor * shared = nullptr; // a source that all tokens read
    ggml_tensor * state = nullptr;  // [state size, n_seqs]

    // How many of the next `left` tokens to take at once.
    std::function<int64_t(int64_t left)> length;
    // The op over a segment.
    std::function<ggml_tensor *(const parts &, ggml_tensor * state)> make;
    // Its gradients, given those of the outputs, [size, n_head, n, n_seqs], and of the state after it.
    std::function<segment_gradients(const parts &, ggml_tensor * state, ggml_tensor * dy, ggml_tensor * dstate)>
        differentiate;
};

// The tokens of all sequences one after another, as some ops take them: [size, n_head, n · n_seqs].
ggml_tensor * in_one_sequence(gradients & g, ggml_tensor * part);

// Adds the gradients of the sources, of `shared` and of the state, those of them that are wanted.
void by_segments(gradients & g, const segmented_op & op, ggml_tensor * dy);

}
