#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Products, softmax and product of an attention as one node that never holds the square of probabilities. Its sources
// are the views of queries, keys and values from before the values' transposing copy; its result is the copy that
// brings the heads of a token together, where the graph makes one. Left as they are: scores with a soft cap or a bias
// of their own, keys that are not F32, masks for each head.
void fuse_attention(fusion & f);

}
