#pragma once

#include "autodiff/engine/gradients.h"

namespace llamatune::rules {

// Gathered rows back where they came from: dy [k, n, b1, b2] and rows, I32 [n, b1, b2], give [k, n_rows, b1, b2], zero
// where no row was gathered, summed where one was more than once.
ggml_tensor * scatter_rows(gradients & g, ggml_tensor * dy, ggml_tensor * rows, int64_t n_rows);

}
