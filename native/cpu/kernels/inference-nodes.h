#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// Nodes of llama.cpp's inference graphs that our kernels compute for many tokens at once.

// FLASH_ATTN_EXT over the cache.
bool can_attend(const ggml_tensor * node);
void run_attention(executor & exec, ggml_tensor * node);

// The nodes of a linear layer with an adapter, in llama.cpp's order: W·x, A·x, B·(A·x), its scale, the sum. One kernel
// computes all of them if no other node reads an intermediate result.
constexpr int pair_length = 5;
bool is_pair(ggml_tensor * const * nodes);
void run_pair(executor & exec, ggml_tensor * const * nodes);

// Only the last two of them.
bool is_pair_tail(const ggml_tensor * node);
void run_pair_tail(executor & exec, ggml_tensor * node);

}
