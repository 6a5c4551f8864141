#pragma once

#include "autodiff/engine/gradients.h"

namespace llamatune {

// Marks in `g` the nodes of `forward`, a list in execution order, through which a gradient flows from `result` (null:
// the last node) to the tensors that are already wanted (the parameters). Nodes that only feed an op without a gradient
// (a selection of experts) are not marked.
void mark_gradient_path(gradients & g, const std::vector<ggml_tensor *> & forward,
                        const ggml_tensor * result = nullptr);

// Walks `forward` in reverse and gives every wanted tensor its gradient, starting from the gradients already added to
// `g`. Throws error UNSUPPORTED_OP for a node without a rule (preflight names all of them beforehand).
void run_backward(gradients & g, const std::vector<ggml_tensor *> & forward);

}
