#pragma once

#include <cstdint>

namespace llamatune {

// Returns how many columns of logits to compute at a time: as many as fit into `budget_bytes` with `copies` tensors of
// that size, in multiples of 32, at least 32 and at most n_tokens.
int64_t loss_chunk_columns(int64_t n_vocab, int64_t n_tokens, int64_t budget_bytes, int64_t copies);

// Returns the number of columns of the next chunk when `n_targets` are left: as few chunks as possible, of similar
// widths that are little larger than their targets. There are few widths, since each has a graph.
int64_t loss_chunk_width(int64_t n_targets, int64_t max_columns);

}
