#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Fuses W·x + s·B·(A·x), a frozen linear layer with its LoRA pair, into one node.
void fuse_lora_linears(fusion & f);

}
