#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// ROPE, in its normal and NEOX forms: the angles are computed once for all of them, forward and backward; the norm that
// some architectures put before it becomes part of it. Before fuse_norms().
void fuse_ropes(fusion & f);

}
