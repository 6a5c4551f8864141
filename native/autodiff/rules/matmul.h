#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void mul_mat(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
