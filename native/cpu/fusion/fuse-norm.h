#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Fuses RMS_NORM with its gain. In the backward pass, the gradient that the norm's input already has from the residual
// stream is added in the same pass.
void fuse_norms(fusion & f);

// Fuses RMS_NORM, with or without a gain, and RoPE (`node`) of queries or keys into one node that reads `angles`.
// Returns false if `node` is not the only reader of such a norm.
bool fuse_norm_with_rotation(fusion & f, ggml_tensor * node, ggml_tensor * angles, int64_t n_rotated, bool neox);

}
