#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

// Ops that write one tensor into a part of another, or move it about.
void pad(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void roll(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void set(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void acc(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void set_rows(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
