#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Scans of state-space models, forward and backward; gated delta nets backward.
void fuse_scans(fusion & f);

}
