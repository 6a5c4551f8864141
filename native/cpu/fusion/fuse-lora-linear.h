#pragma once

#include "cpu/fusion/fuse.h"

namespace llamatune {

// W·x + s·B·(A·x), a frozen linear layer with its LoRA pair as llama.cpp builds it, becomes one node.
void fuse_lora_linears(fusion & f);

}
