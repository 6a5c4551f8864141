#pragma once

#include "graph/clone.h"

#include <ggml.h>

namespace llamatune {

// Is this tensor, or what it is a view of, a cache of llama.cpp's: keys and values, or recurrent state?
bool is_cache(const ggml_tensor * t);

// Training needs no cache: all that attention reads was written by this same batch a moment before. Replaces, in the
// cloner, each view of a key-value cache by the batch's fresh rows (same values, same shape), so that gradients reach
// the projections of K and V and nothing is written to the cache; a cache that holds other rows than the batch's, by
// zeros with the rows that the batch writes; and recurrent state by zeros. n_tokens: of the batch.
void unhook_cache(ggml_cgraph * graph, int64_t n_tokens, tensor_arena & ctx, cloner & clone);

}
