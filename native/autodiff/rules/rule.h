#pragma once

#include "autodiff/engine/gradients.h"

#include <cstring>

namespace llamatune {

// One op's gradient: adds d(src[i]) for every source that wants one, given dy = d(node), contiguous F32.
using rule = void (*)(gradients & g, ggml_tensor * node, ggml_tensor * dy);

// The i-th number of an op's parameters, where it is a float.
inline float parameter(const ggml_tensor * node, int i) {
    float value;
    std::memcpy(&value, node->op_params + i, sizeof(value));
    return value;
}

}
