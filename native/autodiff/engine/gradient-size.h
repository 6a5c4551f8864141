#pragma once

#include <ggml.h>

#include <cstddef>

namespace llamatune {

// The most of a frozen weight that is dequantized at a time, as F32: an output matrix would be gigabytes.
constexpr int64_t weight_slice_bytes = 32ll << 20;
// The same of a layer's experts. But no more than so many parts, each of which takes nodes of the graph.
constexpr int64_t expert_slice_bytes = 16ll << 20;
constexpr int64_t most_slices = 64;

// How many tensors a node's rule makes at most, for ops whose rules make more for more tokens or larger weights; 0 for
// all others, whose rules make a few.
size_t tensors_of_gradient(const ggml_tensor * node);

}
