#pragma once

#include "graph/clone.h"

#include <ggml.h>

namespace llamatune {

// Is this tensor a cache of llama.cpp, or a view of one: of keys and values, or of recurrent state?
bool is_cache(const ggml_tensor * t);

// Removes the cache: in training, the batch itself has just written everything that attention reads. In the cloner,
// each view of a key-value cache is replaced by the rows that the batch writes (same values, same shape), so that
// gradients reach the projections of K and V and nothing is written to the cache. A cache that also has other rows
// becomes zeros with the rows that the batch writes, and recurrent state becomes zeros. The batch has n_tokens.
void unhook_cache(ggml_cgraph * graph, int64_t n_tokens, tensor_arena & ctx, cloner & clone);

}
