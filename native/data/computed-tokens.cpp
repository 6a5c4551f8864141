#include "data/computed-tokens.h"

#include "core/error.h"

#include <algorithm>
#include <string>

namespace llamatune {

uint64_t computed_tokens(const layout_request & r, const std::vector<int32_t> & lengths) {
    if (std::min({r.batch_size, r.sequence_length, r.micro_batch_tokens, r.micro_batch_size}) < 1)
        throw error("ARGUMENT_INVALID", "expected sizes of at least 1 but received a smaller one");
    const layout_options layout{r.layout, uint32_t(r.sequence_length), uint32_t(r.micro_batch_tokens),
                                uint32_t(r.micro_batch_size)};
    const int32_t limit =
        has_token_budget(r.layout) ? std::min(r.sequence_length, r.micro_batch_tokens) : r.sequence_length;
    for (const int32_t length : lengths) {
        if (length >= 1 && length <= limit) continue;
        throw error("ARGUMENT_INVALID",
                    "expected lengths from 1 to " + std::to_string(limit) + " but received " + std::to_string(length));
    }
    uint64_t n = 0;
    for (size_t first = 0; first < lengths.size(); first += size_t(r.batch_size)) {
        const auto begin = lengths.begin() + ptrdiff_t(first);
        const auto count = ptrdiff_t(std::min(size_t(r.batch_size), lengths.size() - first));
        for (const planned_batch & batch : lay_out({begin, begin + count}, layout))
            n += uint64_t(batch.shape.n_tokens());
    }
    return n;
}

}
