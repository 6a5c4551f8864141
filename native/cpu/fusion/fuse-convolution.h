#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// The causal convolutions of state-space models: tokens turned to columns, the past before them, the convolution, and
// the bias and SiLU behind it as one node.
void fuse_convolutions(fusion & f);

}
