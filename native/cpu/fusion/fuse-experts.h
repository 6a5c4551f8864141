#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Products with experts, and those with their LoRA pairs, become one node: EXPERT_LINEAR.
void fuse_experts(fusion & f);

// The weighted sum of what a token's experts give becomes one node: EXPERT_SUM.
void fuse_expert_sums(fusion & f);

}
