#pragma once

#include "autodiff/engine/gradients.h"

#include <functional>
#include <vector>

namespace llamatune {

// For an op that walks over tokens with a state, [size, n_head, n_t · n_seqs], whose result is the tokens' outputs
// followed by the final states. The states of all tokens would be far larger than what they are made from: segments of
// time, from the last to the first, each from the state that the op itself finds.

// Of a segment: of the sources in their order, of the state before it, of what all tokens share (or null).
struct segment_gradients {
    std::vector<ggml_tensor *> sources;
    ggml_tensor * state;
    ggml_tensor * shared;
};

struct segmented_op {
    ggml_tensor * node;
    std::vector<ggml_tensor *>
        sources;          // size and heads of each its own, any layout; n_seqs may be a dimension of its own
    size_t like;          // the one whose sizes the outputs have
    ggml_tensor * shared; // a source that all tokens read, or null
    ggml_tensor * state;  // [state size, n_seqs]
    int64_t numbers;      // of the largest tensor that `differentiate` makes, for each token

    using parts = std::vector<ggml_tensor *>; // of the sources, of a segment
    // The op over a segment; its gradients. Outputs' gradients have the shape of a part, [size, n_head, n, n_seqs].
    std::function<ggml_tensor *(const parts &, ggml_tensor * state)> make;
    std::function<segment_gradients(const parts &, ggml_tensor * state, ggml_tensor * dy, ggml_tensor * dstate)>
        differentiate;
};

// Adds the gradients of the node's sources.
void by_segments(gradients & g, const segmented_op & op, ggml_tensor * dy);

}
