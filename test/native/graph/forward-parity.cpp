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
