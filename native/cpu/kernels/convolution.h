#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// A causal convolution of each channel over time, with what mostly follows it:
//   y_t = act(bias + Σ_k w[k] x_{t + k - (d_conv - 1)}),  act the identity or SiLU
// where tokens before the first are `past`. Tokens stay rows: ggml's own op wants them as columns, and gives rows.

// node->src: x [d_inner, n_t, n_seqs] with dense rows, past [d_conv - 1, d_inner, n_seqs], w [d_conv, d_inner], and the
// bias [d_inner] or nothing. node is as x.
void convolve(bool silu, ggml_tensor * node, executor & on);

// d(x). node->src: dy, then as above. node is as x.
void convolve_back(bool silu, ggml_tensor * node, executor & on);

}
