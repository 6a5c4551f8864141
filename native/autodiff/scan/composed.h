#pragma once

#include "autodiff/engine/gradients.h"

#include <utility>
#include <vector>

namespace llamatune {

// Differentiates an op through its composed form: `results`, each with its gradient, are computed from `leaves` (and
// constants) by ops that have rules. The gradients of the wanted leaves are then in `g` (gradients::take). Leaves must
// be tensors made for this call, not tensors of the graph.
void differentiate(gradients & g, const std::vector<std::pair<ggml_tensor *, ggml_tensor *>> & results,
                   const std::vector<ggml_tensor *> & leaves);

// Makes another tensor with the same memory, for use as a leaf.
ggml_tensor * alias(gradients & g, ggml_tensor * t);

}
