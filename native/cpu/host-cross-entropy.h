#pragma once

#include <ggml.h>

namespace llamatune {

// The same as build_cross_entropy for logits in host memory, in one walk over them instead of nine operations, and
// without their copies: with a gradient, `dlogits` takes the place of the logits, which are gone then.
//
// logits:  F32 [n_vocab, columns], contiguous
// targets: I32 [1, columns];  weights: F32 [1, columns]
// losses:  F32, `columns` numbers, allocated outside of the graph: -log p(target), nats, not weighted
//
// Returns dlogits, F32 [n_vocab, columns]; without a gradient a node that must run for `losses` to be written.
ggml_tensor * build_host_cross_entropy(ggml_context * ctx, ggml_tensor * logits, ggml_tensor * targets,
                                       ggml_tensor * weights, ggml_tensor * losses, bool with_gradient);

}
