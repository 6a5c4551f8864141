#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// SwiGLU, GeGLU (tanh) and ReGLU of two tensors, or of one tensor with both in each row: a kernel for the forward pass
// (not for GeGLU, which ggml looks up in a table), and one for both gradients.
void fuse_glu(fusion & f);

}
