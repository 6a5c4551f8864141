#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// A causal convolution over time per channel, with the bias and activation that usually follow it:
//   y_t = act(bias + Σ_k w[k] x_{t + k - (d_conv - 1)}),  act the identity or SiLU
// with the tokens before the first in `past`. Tokens are rows here; ggml's op reads them as columns.

// node->src: x [d_inner, n_t, n_seqs] with dense rows, past [d_conv - 1, d_inner, n_seqs], w [d_conv, d_inner], and the
// bias [d_inner] or null. node has the shape of x.
void convolve(bool silu, ggml_tensor * node, executor & exec);

// d(x). node->src: dy, then the same. node has the shape of x.
void convolve_back(bool silu, ggml_tensor * node, executor & exec);

}
