#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void hyper_connection_pre(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
