#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// SwiGLU, GeGLU (tanh) and ReGLU, of two tensors or of one whose rows hold both: a kernel forward (but GeGLU's, which
// ggml looks up in a table), and one for both gradients.
void fuse_glu(fusion & f);

}
