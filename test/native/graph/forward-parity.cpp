// Tests what a row of the training graph depends on. architectures/ compares its logits with llama_decode's.

#include "core/error.h"
#include "graph/logits.h"
#include "harness.h"
#include "model/load.h"
#include "tiny-batch.h"

using namespace llamatune;

TEST("graph: packed samples do not affect each other") {
    const auto m = model::load({harness::arch_model("llama")});
    const micro_batch apart = tiny_batch(*m, 3, 40);
    micro_batch packed = apart; // the same samples in one row
    packed.shape.n_rows = 1;
    packed.shape.sequence_length = 120;
    packed.shape.packed = true;
    for (int i = 0; i < 120; i++) packed.segment_id[i] = i / 40;
    CHECK(logits::nmse(logits::by_training_graph(m, packed), logits::by_training_graph(m, apart)) < 1e-9);
}

TEST("graph: too many samples in a micro-batch are refused with an option that helps") {
    const auto m = model::load({harness::arch_model("llama")});
    micro_batch batch = tiny_batch(*m, 129, 2); // the second token of each row stands for padding
    batch.shape.packed = true;
    for (size_t i = 0; i < batch.segment_id.size(); i++) batch.segment_id[i] = int32_t(i % 2);
    std::string hint;
    try {
        logits::by_training_graph(m, batch);
    } catch (const error & e) {
        CHECK_EQ(e.code(), "BATCH_TOO_MANY_SEGMENTS");
        hint = e.hint();
    }
    CHECK_EQ(hint, "Lower microBatchSize, or give microBatchTokens instead of microBatchSize and packing.");
}

TEST("graph: later tokens do not affect earlier ones") {
    const auto m = model::load({harness::arch_model("llama")});
    const micro_batch before = tiny_batch(*m, 1, 64);
    micro_batch after = before;
    for (int i = 32; i < 64; i++) after.tokens[i] = (after.tokens[i] + 7) % 100;
    auto a = logits::by_training_graph(m, before), b = logits::by_training_graph(m, after);
    const size_t half = a.size() / 2;
    CHECK(std::vector<float>(a.begin(), a.begin() + half) == std::vector<float>(b.begin(), b.begin() + half));
    CHECK(std::vector<float>(a.begin() + half, a.end()) != std::vector<float>(b.begin() + half, b.end()));
}
