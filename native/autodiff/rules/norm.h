#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void rms_norm(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void norm(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void group_norm(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void l2_norm(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
