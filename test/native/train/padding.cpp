#include "harness.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <algorithm>

using namespace llamatune;

namespace {

// Rows of 70, 192 and no tokens, the rest padding: some blocks of 64 contain only padding, others contain some.
micro_batch ragged(const model & m) {
    constexpr uint32_t length = 192, filled[] = {70, 192, 0};
    micro_batch batch = tiny_batch(m, 3, length);
    batch.n_filled_rows = batch.n_samples = 2;
    batch.n_tokens = 70 + 192;
    std::vector<int32_t> position, token;
    for (uint32_t row = 0; row < 3; row++) {
        for (uint32_t i = filled[row]; i < length; i++) batch.segment_id[row * length + i] = -1;
    }
    for (size_t i = 0; i < batch.target_position.size(); i++) {
        const uint32_t at = uint32_t(batch.target_position[i]);
        if (at % length + 1 >= filled[at / length]) continue;
        position.push_back(batch.target_position[i]);
        token.push_back(batch.target_token[i]);
    }
    batch.target_position = position;
    batch.target_token = token;
    batch.target_weight.resize(token.size());
    return batch;
}

}

TEST("train/padding: blocks of padding are skipped and nothing else changes") {
    for (const char * name : {"llama", "qwen3", "gemma3", "gpt-oss-moe", "olmo2"}) {
        const auto m = tiny::arch(name);
        const micro_batch known = ragged(*m);
        micro_batch unknown = known; // the same tokens, but none is marked as padding
        std::fill(unknown.segment_id.begin(), unknown.segment_id.end(), 0);
        for (const bool recompute : {false, true}) {
            tiny::training_options options;
            options.step.recompute = recompute;
            tiny::training with(m, known, options), without(m, unknown, options);
            const tiny::tensor_values expected = tiny::gradients_of(without, unknown);
            CHECK(tiny::relative_error(tiny::gradients_of(with, known), expected) < 1e-5);
            CHECK_NEAR(with.loss(known), without.loss(unknown), 1e-6);
            // a block that one batch skips is used in the next one
            CHECK(tiny::relative_error(tiny::gradients_of(with, unknown), expected) < 1e-6);
        }
    }
}
