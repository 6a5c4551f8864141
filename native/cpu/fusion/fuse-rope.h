#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// RoPE in its normal and NEOX forms: the angles are computed once for all layers and both passes, and the norm that
// some architectures have before RoPE is part of its node. Must run before fuse_norms().
void fuse_ropes(fusion & f);

}
