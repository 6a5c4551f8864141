#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

// The two factors of a gated unit act(x) · gate, which are two sources, or the halves of one: [x | gate], or [gate | x]
// when swapped.
struct gated_sources {
    ggml_tensor * x;
    ggml_tensor * gate;
};
gated_sources sources_of_gated(gradients & g, ggml_tensor * node);
// Gradients of both; null for one that is not wanted.
void add_to_gated(gradients & g, ggml_tensor * node, ggml_tensor * dx, ggml_tensor * dgate);
// Is the gradient of x (0), of the gate (1) wanted?
bool wants_of_gated(gradients & g, const ggml_tensor * node, int which);

void elu(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void gelu_erf(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void xielu(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void hardswish(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void hardsigmoid(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void expm1(gradients & g, ggml_tensor * node, ggml_tensor * dy);

void geglu_erf(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void swiglu_oai(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void swiglu_clamp(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
