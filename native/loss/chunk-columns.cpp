#include "loss/chunk-columns.h"

#include <algorithm>

namespace llamatune {

int64_t loss_chunk_columns(int64_t n_vocab, int64_t n_tokens, int64_t budget_bytes, int64_t copies) {
    const int64_t per_column = copies * n_vocab * int64_t(sizeof(float));
    const int64_t fitting = budget_bytes / per_column / 32 * 32;
    // all chunks have the same size: the last one is filled up with columns of weight 0
    const int64_t max_columns = std::max<int64_t>(fitting, 32), chunks = (n_tokens + max_columns - 1) / max_columns;
    return std::min((((n_tokens + chunks - 1) / chunks) + 31) / 32 * 32, n_tokens);
}

int64_t loss_chunk_width(int64_t n_targets, int64_t max_columns) {
    const int64_t chunks = (n_targets + max_columns - 1) / max_columns;
    const int64_t wanted = (n_targets + chunks - 1) / chunks;
    int64_t unit = 32; // eight widths from a power of two to the next one
    while (unit * 16 <= wanted) unit *= 2;
    return std::min((wanted + unit - 1) / unit * unit, max_columns);
}

}
