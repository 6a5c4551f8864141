#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// Nodes of llama.cpp's own graphs for inference, as far as kernels of ours do them for many tokens at once.

// FLASH_ATTN_EXT over the cache.
bool can_attend(const ggml_tensor * node);
void run_attention(executor & on, ggml_tensor * node);

// What llama.cpp makes of a linear layer with an adapter: W·x, A·x, B·(A·x), its scale, the sum. `nodes` are in that
// order; all of them together are one kernel, if nothing else reads what lies between.
constexpr int pair_length = 5;
bool is_pair(ggml_tensor * const * nodes);
void run_pair(executor & on, ggml_tensor * const * nodes);

// The last two of them on their own.
bool is_pair_tail(const ggml_tensor * node);
void run_pair_tail(executor & on, ggml_tensor * node);

}
