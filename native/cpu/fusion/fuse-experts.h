#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Fuses products with experts, with or without LoRA pairs, into one node: EXPERT_LINEAR.
void fuse_experts(fusion & f);

// Fuses the weighted sum of the results of a token's experts into one node: EXPERT_SUM.
void fuse_expert_sums(fusion & f);

}
