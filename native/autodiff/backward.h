#pragma once

#include "autodiff/gradients.h"

namespace llamatune {

// Marks, in `g`, everything between the tensors already wanted (the parameters) and the end of `forward`, a list in
// execution order, that a gradient flows through.
void mark_gradient_path(gradients & g, const std::vector<ggml_tensor *> & forward);

// One reverse walk over `forward`: gives every wanted tensor its gradient, starting from those already added to `g`.
// Throws error UNSUPPORTED_OP for a node without a rule (preflight names them all beforehand).
void run_backward(gradients & g, const std::vector<ggml_tensor *> & forward);

}
