#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// y = act(x) · gate, the gated activations of ggml's GLU op. GEGLU is the tanh form.
enum class glu_kind { swiglu, geglu, reglu };

// node->src: x and gate; or one tensor whose rows hold [x | gate], [gate | x] when swapped.
void glu(glu_kind kind, bool swapped, ggml_tensor * node, executor & exec);

// d(x) and d(gate) in one pass. node->src: dy, x and gate: node is [n, rows, 2], d(x) before d(gate); or dy and one
// tensor: node has that tensor's shape.
void glu_back(glu_kind kind, bool swapped, ggml_tensor * node, executor & exec);

}
