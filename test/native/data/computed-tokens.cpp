#include "harness.h"

#include "core/error.h"
#include "data/computed-tokens.h"

using namespace llamatune;

TEST("data/computed-tokens: each layout pads as the loader lays samples out") {
    const std::vector<int32_t> lengths = {100, 20, 30, 40, 64};
    layout_request r;
    r.batch_size = 4;
    r.sequence_length = 128;
    r.micro_batch_tokens = 256;
    // 190 tokens in a row of 192, then 64
    CHECK_EQ(computed_tokens(r, lengths), 192u + 64u);
    r.layout = batch_layout::packed;
    CHECK_EQ(computed_tokens(r, lengths), 2u * 128 + 128);
    r.layout = batch_layout::padded;
    CHECK_EQ(computed_tokens(r, lengths), 5u * 128);
    r.micro_batch_size = 4; // the last micro-batch has three empty rows
    CHECK_EQ(computed_tokens(r, lengths), 8u * 128);
    r.layout = batch_layout::by_length; // two rows of 112, and two of 32
    CHECK_EQ(computed_tokens(r, lengths), 2u * 112 + 2 * 32 + 64);
    CHECK_EQ(computed_tokens(r, {}), 0u);
}

TEST("data/computed-tokens: what cannot be laid out is refused") {
    layout_request r;
    r.sequence_length = 16;
    CHECK_ERROR("ARGUMENT_INVALID", computed_tokens(r, {17}));
    CHECK_ERROR("ARGUMENT_INVALID", computed_tokens(r, {0}));
    r.batch_size = 0;
    CHECK_ERROR("ARGUMENT_INVALID", computed_tokens(r, {4}));
}
