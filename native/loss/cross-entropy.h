#pragma once

#include <ggml.h>

namespace llamatune {

// The cross-entropy of a chunk of logits and its gradient, built from ops that every backend supports, without dense
// labels or a vocabulary-sized mask.
struct cross_entropy {
    ggml_tensor * loss;    // F32 [1, 1, columns]: -log p(target), nats, not weighted
    ggml_tensor * dlogits; // F32 [n_vocab, columns]: weight · (p - onehot(target))
};

// logits:  F32 [n_vocab, columns]
// targets: I32 [1, columns]
// weights: F32 [1, columns]; 0 excludes a column
cross_entropy build_cross_entropy(ggml_context * ctx, ggml_tensor * logits, ggml_tensor * targets,
                                  ggml_tensor * weights, bool with_gradient);

// Returns how many columns of logits to compute at a time: as many as fit into `budget_bytes` with `copies` tensors of
// that size (3 here: logits, probabilities and gradient), in multiples of 32, at least 32 and at most n_tokens.
int64_t loss_chunk_columns(int64_t n_vocab, int64_t n_tokens, int64_t budget_bytes, int64_t copies = 3);

}
