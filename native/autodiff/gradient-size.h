#pragma once

#include <ggml.h>

#include <cstddef>

namespace llamatune {

// How many tensors a node's rule makes at most, for ops whose rules make more for more tokens; 0 for all others, whose
// rules make a few.
size_t tensors_of_gradient(const ggml_tensor * node);

}
