// What the objective adds to a run: its metrics in the events, and its options.

#include "harness.h"
#include "train/recorded-run.h"

#include <cmath>

using namespace llamatune;
using namespace tiny;

TEST("train/objective: the token accuracy has the weights of the losses, however a batch is split") {
    const auto once = random_samples(*arch_llama(), 64, 20, 32);
    const auto thrice = random_samples(*arch_llama(), 64, 20, 32, 4);
    auto both = once;
    both.insert(both.end(), thrice.begin(), thrice.end());
    for (size_t i = once.size(); i < both.size(); i++) {
        for (float & weight : both[i].weights) weight *= 3;
    }
    const auto accuracy = [](const std::vector<harness::token_sample> & samples, int32_t micro_batch_size) {
        train_options o = options_for("accuracy.tok", samples);
        o.batch_size = int32_t(samples.size());
        o.micro_batch_size = micro_batch_size;
        o.learning_rates = {0.0f};
        const recorded_run log = run(arch_llama(), o);
        return std::pair{log.steps[0].metrics.at("tokenAccuracy"), double(log.steps[0].target_tokens)};
    };
    const auto [a, n_a] = accuracy(once, 16);
    const auto [b, n_b] = accuracy(thrice, 16);
    CHECK(a > 0 && b > 0 && a != b);
    for (const int32_t micro : {2, 32})
        CHECK_NEAR(accuracy(both, micro).first, (a * n_a + 3 * b * n_b) / (n_a + 3 * n_b), 1e-12);
}

TEST("train/objective: a step without targets has no metrics and does not count for those of its epoch") {
    auto samples = random_samples(*arch_llama(), 16, 20, 32);
    for (size_t i = 0; i < 8; i++) samples[i].weights.assign(samples[i].weights.size(), 0.0f);
    train_options o = options_for("no-targets.tok", samples);
    o.shuffle = false;
    o.learning_rates.assign(2, 1e-3f);
    const recorded_run log = run(arch_llama(), o);
    CHECK_EQ(log.steps.size(), 2u);
    CHECK(std::isnan(log.steps[0].metrics.at("tokenAccuracy")));
    CHECK(std::isfinite(log.steps[1].metrics.at("tokenAccuracy")));
    CHECK_EQ(log.epochs.size(), 1u);
    CHECK_NEAR(log.epochs[0].metrics.at("tokenAccuracy"), log.steps[1].metrics.at("tokenAccuracy"), 1e-12);
}

TEST("train/objective: label smoothing raises the loss of a step and not that of an evaluation") {
    train_options o = options_for("smoothing.tok", random_samples(*arch_llama(), 8, 20, 32));
    o.learning_rates.assign(1, 0.0f);
    o.validation = {o.train_file, 0};
    const recorded_run plain = run(arch_llama(), o);
    o.objective.numbers["labelSmoothing"] = 0.1;
    const recorded_run smoothed = run(arch_llama(), o);
    CHECK_NEAR(plain.evaluations[0].loss, plain.steps[0].loss, 1e-6);
    CHECK_EQ(smoothed.evaluations[0].loss, plain.evaluations[0].loss);
    CHECK(std::fabs(smoothed.steps[0].loss - plain.steps[0].loss) > 1e-4);
    CHECK(smoothed.steps[0].metrics == plain.steps[0].metrics);
    CHECK_NEAR(plain.evaluations[0].metrics.at("tokenAccuracy"), plain.steps[0].metrics.at("tokenAccuracy"), 1e-12);
}
