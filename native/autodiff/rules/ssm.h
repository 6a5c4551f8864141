#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void ssm_conv(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void ssm_scan(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
