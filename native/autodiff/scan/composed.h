#pragma once

#include "autodiff/engine/gradients.h"

#include <utility>
#include <vector>

namespace llamatune {

// The gradient of an op through its composed form: `results` are computed from `leaves` (and constants) by ops that
// have rules, each with the gradient of its own. The leaves' are left in `g` (gradients::take); those that want one
// must be wanted there. Leaves must be tensors made for this, not the graph's.
void differentiate(gradients & g, const std::vector<std::pair<ggml_tensor *, ggml_tensor *>> & results,
                   const std::vector<ggml_tensor *> & leaves);

// Another tensor of the same memory, for use as a leaf.
ggml_tensor * alias(gradients & g, ggml_tensor * t);

}
