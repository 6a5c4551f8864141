#pragma once

#include "graph/clone.h"

#include <ggml.h>

namespace llamatune {

// Training needs no cache: every key and value that attention reads was written by this same batch a moment before.
// Replaces, in the cloner, each view of the cache by the batch's fresh rows (same values, same shape), so that gradients
// reach the projections of K and V and nothing is written to the cache. Recurrent state is replaced by zeros.
// n_tokens: of the batch. Throws error GRAPH_UNSUPPORTED for a cache that is not used in that way.
void unhook_cache(ggml_cgraph * graph, int64_t n_tokens, ggml_context * ctx, cloner & clone);

}
