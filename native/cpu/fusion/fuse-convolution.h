#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Fuses the causal convolutions of state-space models into one node: transposing tokens to columns, joining them with
// the past, the convolution, its bias and SiLU.
void fuse_convolutions(fusion & f);

}
