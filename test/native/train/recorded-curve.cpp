// A recorded loss curve guards the trainer: a change of the trainer must update these numbers (LLAMATUNE_RECORD=1
// prints new ones).

#include "train/run.h"

#include "data/write-token-file.h"
#include "harness.h"
#include "model/tiny-models.h"

#include <cstdio>
#include <cstdlib>

using namespace llamatune;

namespace {

constexpr double recorded[30] = {
    6.92043, 6.85538, 6.65749, 5.71710, 5.55569, 5.18558, 4.89510, 4.19973, 4.14374, 3.72342,
    3.46551, 3.40935, 2.91473, 2.88882, 2.72428, 2.30576, 2.53999, 2.14199, 2.00918, 1.74687,
    1.98526, 1.69841, 1.52398, 1.61848, 1.43381, 1.32587, 1.48769, 1.19045, 1.28502, 1.43911,
};

}

TEST("train: thirty steps give the recorded losses") {
    const auto m = tiny::load("qwen3");
    std::vector<harness::token_sample> samples(24);
    for (int i = 0; i < 24; i++) samples[size_t(i)] = harness::counting_sample(i * 9, size_t(8 + i));
    train_options o;
    o.lora.targets = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "output"};
    o.train_file = harness::write_token_file("recorded.tok", samples);
    o.sequence_length = 32;
    o.batch_size = 8;
    o.epochs = 10;
    o.optimizer.numbers["weightDecay"] = 0.01;
    o.n_threads = 1;
    for (int i = 0; i < 30; i++) o.learning_rates.push_back(1e-2f * float(30 - i) / 30);
    std::vector<double> losses;
    const std::atomic<bool> stop{false};
    run_training(
        m, o,
        [&](const train_event & event) {
            if (const auto * step = std::get_if<step_event>(&event)) losses.push_back(step->loss);
        },
        stop);
    CHECK_EQ(losses.size(), 30u);
    if (std::getenv("LLAMATUNE_RECORD")) {
        for (double loss : losses) std::printf("%.5f,\n", loss);
    }
    for (size_t i = 0; i < 30; i++) {
        // instruction sets sum in different orders, and the difference grows with the steps
        CHECK_NEAR(losses[i], recorded[i], 1e-3 * (1.0 + double(i) / 3));
    }
}
