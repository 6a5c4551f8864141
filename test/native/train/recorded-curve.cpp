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
    6.78475, 6.89803, 6.06024, 5.63926, 5.07568, 4.75019, 4.13457, 4.10053, 3.58231, 3.32555,
    2.97264, 2.82875, 2.46446, 2.37458, 2.00987, 2.02910, 1.78995, 1.60002, 1.53426, 1.33042,
    1.29443, 1.15108, 1.03910, 1.08529, 0.96755, 0.92310, 0.93495, 0.79568, 0.76519, 0.86726,
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
    o.micro_batch_size = 2;
    o.packing = true;
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
