#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Fuses q·kᵀ, softmax and the product with v into one node that never stores the matrix of probabilities. Its sources
// are the views of queries, keys and values before the transposing copy of v; its result is the copy that merges the
// heads of a token, if the graph has one. Not fused: scores with a soft cap or a bias, keys that are not F32, masks per
// head.
void fuse_attention(fusion & f);

}
