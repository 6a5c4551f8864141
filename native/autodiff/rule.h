#pragma once

#include "autodiff/gradients.h"

namespace llamatune {

// One op's gradient: adds d(src[i]) for every source that wants one, given dy = d(node), contiguous F32.
using rule = void (*)(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
