#pragma once

#include "autodiff/engine/gradients.h"

#include <utility>
#include <vector>

namespace llamatune {

// The gradient of an op through its composed form: `results`, each with its gradient, are computed from `leaves` (and
// constants) by ops that have rules. The gradients of the leaves that are wanted in `g` are left there
// (gradients::take). Leaves must be tensors made for this call, not tensors of the graph.
void differentiate(gradients & g, const std::vector<std::pair<ggml_tensor *, ggml_tensor *>> & results,
                   const std::vector<ggml_tensor *> & leaves);

// Another tensor of the same memory, for use as a leaf.
ggml_tensor * alias(gradients & g, ggml_tensor * t);

}
