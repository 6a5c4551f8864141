#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// RMS_NORM, with the gain that it is multiplied with. Backward, a gradient that the norm's input has already (of the
// residual stream) is added in the same pass.
void fuse_norms(fusion & f);

// RMS_NORM (perhaps with a gain) that only `node` reads: the norm of queries or keys, whose rotation `node` is. Makes
// all of it one node, given the rotation's angles; false where it is no such group.
bool fuse_norm_with_rotation(fusion & f, ggml_tensor * node, ggml_tensor * angles, int64_t n_rotated, bool neox);

}
