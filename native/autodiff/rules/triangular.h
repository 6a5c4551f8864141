#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

// What the chunks of a gated delta net are computed with.
void cumsum(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void tri(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void solve_tri(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void diag(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
