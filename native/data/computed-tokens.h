#pragma once

#include "data/layout.h"

#include <cstdint>
#include <vector>

namespace llamatune {

// The options of a run that its layout depends on.
struct layout_request {
    batch_layout layout = batch_layout::padding_free;
    int32_t batch_size = 8;
    int32_t sequence_length = 512;
    int32_t micro_batch_tokens = 1024;
    int32_t micro_batch_size = 1;
};

template <class V>
void fields(V & v, layout_request & r) {
    v("layout", r.layout);
    v("batchSize", r.batch_size);
    v("sequenceLength", r.sequence_length);
    v("microBatchTokens", r.micro_batch_tokens);
    v("microBatchSize", r.micro_batch_size);
}

// Tokens that training computes, padding included, for samples of these lengths in this order. Throws error
// ARGUMENT_INVALID for a number below 1, and for a sample that does not fit a row or a micro-batch.
uint64_t computed_tokens(const layout_request & request, const std::vector<int32_t> & lengths);

}
