// The training graph is the inference graph: its logits equal llama_decode's, for every architecture that can be trained.

#include "core/error.h"
#include "graph/logits.h"
#include "harness.h"
#include "model/load.h"
#include "tiny-batch.h"

using namespace llamatune;

TEST("graph: training logits equal llama_decode's, every listed architecture, one and three sequences") {
    const std::vector<std::string> names = harness::trainable_architectures();
    CHECK(names.size() >= 35);
    std::string wrong;
    for (const std::string & name : names) {
        if (getenv("ARCH") && name.find(getenv("ARCH")) == std::string::npos) continue;
        const auto m = model::load({ harness::arch_model(name) });
        for (uint32_t rows : { 1u, 3u }) {
            std::string problem;
            try {
                // 100 is no multiple of the cache's padding
                const micro_batch batch = tiny_batch(*m, rows, 100);
                const double e = logits::nmse(logits::by_training_graph(m, batch, false), logits::by_decode(*m, batch));
                if (!(e < 1e-9)) problem = "nmse " + std::to_string(e);
            } catch (const llamatune::error & e) {
                problem = e.code() + ": " + e.what();
            }
            if (!problem.empty()) wrong += "\n    " + name + " with " + std::to_string(rows) + " sequences: " + problem;
        }
    }
    if (!wrong.empty()) harness::fail(__FILE__, __LINE__, "equal logits but received" + wrong);
}

TEST("graph: packed samples do not see each other") {
    const auto m = model::load({ harness::arch_model("llama") });
    const micro_batch apart = tiny_batch(*m, 3, 40);
    micro_batch packed = apart; // the same three samples in one row
    packed.n_rows = 1;
    packed.sequence_length = 120;
    for (int i = 0; i < 120; i++) packed.segment_id[i] = i / 40;
    CHECK(logits::nmse(logits::by_training_graph(m, packed, true), logits::by_training_graph(m, apart, false)) < 1e-9);
}

TEST("graph: later tokens change nothing before them") {
    const auto m = model::load({ harness::arch_model("llama") });
    const micro_batch before = tiny_batch(*m, 1, 64);
    micro_batch after = before;
    for (int i = 32; i < 64; i++) after.tokens[i] = (after.tokens[i] + 7) % 100;
    auto a = logits::by_training_graph(m, before, false), b = logits::by_training_graph(m, after, false);
    const size_t half = a.size() / 2;
    CHECK(std::vector<float>(a.begin(), a.begin() + half) == std::vector<float>(b.begin(), b.begin() + half));
    CHECK(std::vector<float>(a.begin() + half, a.end()) != std::vector<float>(b.begin() + half, b.end()));
}
