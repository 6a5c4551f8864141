#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void soft_max(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void rope(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void rope_back(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
