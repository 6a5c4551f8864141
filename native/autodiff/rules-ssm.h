#pragma once

#include "autodiff/rule.h"

namespace llamatune::rules {

void ssm_conv(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
