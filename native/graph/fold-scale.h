#pragma once

#include "core/tensor-arena.h"

#include <vector>

namespace llamatune {

// Computes s · (B h) as B (s · h) where h is smaller than B h: the scale of a LoRA pair then passes over `rank` numbers
// per token instead of all outputs, forward and backward. `nodes` are in execution order; `result` stays as it is.
void scale_before_products(tensor_arena & ctx, std::vector<ggml_tensor *> & nodes, const ggml_tensor * result);

}
