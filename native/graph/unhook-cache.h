#pragma once

#include "graph/clone.h"

#include <ggml.h>

namespace llamatune {

// Is this tensor a cache of llama.cpp, or a view of one: of keys and values, or of recurrent state?
bool is_cache(const ggml_tensor * t);

// Training needs no cache: the batch itself has just written everything that attention reads. In the cloner, this
// replaces each view of a key-value cache by the rows that the batch writes (same values, same shape), so that
// gradients reach the projections of K and V and nothing is written to the cache. A cache with other rows than the
// batch's becomes zeros with the rows that the batch writes, and recurrent state becomes zeros. n_tokens: of the batch.
void unhook_cache(ggml_cgraph * graph, int64_t n_tokens, tensor_arena & ctx, cloner & clone);

}
