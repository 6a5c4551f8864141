#include "train/recorded-run.h"

#include "core/error.h"
#include "core/rng.h"
#include "harness.h"
#include "model/tiny-models.h"

#include "llama.h"

#include <filesystem>
#include <functional>

using namespace llamatune;
using namespace tiny;

TEST("train: eight samples are overfitted to a loss below 0.05") {
    const auto m = tiny::load("llama");
    train_options o = options_for("overfit.tok", random_samples(*m, 8, 12, 32));
    o.lora.rank = 16;
    o.lora.alpha = 32;
    for (int i = 0; i < 200; i++) o.learning_rates.push_back(2e-2f * float(200 - i) / 200);
    const recorded_run log = run(m, o);
    CHECK_EQ(log.steps.size(), 200u);
    CHECK(log.steps.front().loss > 3);
    CHECK_NEAR(log.result.final_loss, 0, 0.05);
    CHECK(log.steps.front().metrics.at("tokenAccuracy") < 0.3);
    CHECK_NEAR(log.steps.back().metrics.at("tokenAccuracy"), 1, 1e-12);
}

TEST("train: the loss and the gradient do not depend on how a batch is split") {
    std::vector<recorded_run> logs;
    for (const int micro : {8, 4, 2, 1}) {
        train_options o = options_for("cut.tok", random_samples(*arch_llama(), 8, 5, 32));
        o.micro_batch_size = micro;
        o.shuffle = false;
        o.learning_rates.assign(3, 1e-3f);
        logs.push_back(run(arch_llama(), o));
    }
    for (const recorded_run & log : logs) {
        for (size_t i = 0; i < 3; i++) {
            CHECK_NEAR(log.steps[i].loss, logs[0].steps[i].loss, 1e-5);
            CHECK_NEAR(log.steps[i].gradient_norm, logs[0].steps[i].gradient_norm,
                       1e-4 * logs[0].steps[i].gradient_norm);
        }
    }
}

TEST("train: packed rows give the same loss as separate rows") {
    train_options o = options_for("packed.tok", random_samples(*arch_llama(), 16, 5, 15));
    o.batch_size = 16;
    o.micro_batch_size = 16;
    o.learning_rates.assign(1, 1e-3f);
    const recorded_run apart = run(arch_llama(), o);
    o.layout = batch_layout::packed;
    o.micro_batch_size = 2;
    const recorded_run packed = run(arch_llama(), o);
    CHECK_EQ(packed.steps[0].target_tokens, apart.steps[0].target_tokens);
    CHECK_NEAR(packed.steps[0].loss, apart.steps[0].loss, 1e-5);
    CHECK_NEAR(packed.steps[0].gradient_norm, apart.steps[0].gradient_norm, 1e-4 * apart.steps[0].gradient_norm);
}

namespace {

// Samples with weights 0 to 2 in steps of a quarter.
std::vector<harness::token_sample> weighted_samples(const model & m, size_t n, size_t shortest, size_t longest) {
    auto samples = random_samples(m, n, shortest, longest);
    rng random(11);
    for (auto & s : samples) {
        for (size_t i = 1; i < s.weights.size(); i++) s.weights[i] = float(random.below(9)) / 4;
    }
    return samples;
}

}

TEST("train: weighted losses do not depend on how a batch is split or packed") {
    std::vector<recorded_run> logs;
    for (const auto & [micro, packing] : {std::pair{16, false}, {4, false}, {1, false}, {2, true}}) {
        train_options o = options_for("weighted.tok", weighted_samples(*arch_llama(), 16, 5, 15));
        o.batch_size = 16;
        o.micro_batch_size = micro;
        if (packing) o.layout = batch_layout::packed;
        o.learning_rates.assign(1, 1e-3f);
        logs.push_back(run(arch_llama(), o));
    }
    for (const recorded_run & log : logs) {
        CHECK_EQ(log.steps[0].target_tokens, logs[0].steps[0].target_tokens);
        CHECK_NEAR(log.steps[0].loss, logs[0].steps[0].loss, 1e-5);
        CHECK_NEAR(log.steps[0].gradient_norm, logs[0].steps[0].gradient_norm, 1e-4 * logs[0].steps[0].gradient_norm);
    }
}

TEST("train: a constant weight of all targets changes nothing, and weight 0 is not a target") {
    const auto samples = random_samples(*arch_llama(), 16, 5, 30);
    const auto losses_with = [&](const std::function<float(size_t)> & weight_of) {
        auto changed = samples;
        for (auto & s : changed) {
            for (size_t i = 1; i < s.weights.size(); i++) s.weights[i] = weight_of(i);
        }
        train_options o = options_for("weights.tok", changed);
        o.learning_rates.assign(3, 1e-3f);
        o.validation = {o.train_file, 0};
        return run(arch_llama(), o);
    };
    const recorded_run ones = losses_with([](size_t) { return 1.0f; }),
                       halves = losses_with([](size_t) { return 0.5f; });
    const recorded_run odd = losses_with([](size_t i) { return float(i % 2); });
    const recorded_run odd_halves = losses_with([](size_t i) { return i % 2 ? 0.5f : 0.0f; }); // as floats
    for (size_t i = 0; i < 3; i++) {
        CHECK_NEAR(halves.steps[i].loss, ones.steps[i].loss, 1e-6);
        CHECK_NEAR(odd_halves.steps[i].loss, odd.steps[i].loss, 1e-6);
        CHECK_EQ(odd_halves.steps[i].target_tokens, odd.steps[i].target_tokens);
    }
    CHECK(odd.steps[0].target_tokens < ones.steps[0].target_tokens);
    CHECK_NEAR(halves.result.final_validation_loss, ones.result.final_validation_loss, 1e-6);
}

TEST("train: with a learning rate of 0 and constant data every step has the same gradient") {
    train_options o = options_for("constant.tok", random_samples(*arch_llama(), 8, 32, 32));
    o.shuffle = false;
    o.learning_rates.assign(4, 0.0f);
    const recorded_run log = run(arch_llama(), o);
    for (const step_event & s : log.steps) {
        CHECK_EQ(s.gradient_norm, log.steps[0].gradient_norm);
        CHECK_EQ(s.loss, log.steps[0].loss);
    }
}

TEST("train: sgd overfits eight samples, and the memory estimate follows its state") {
    const auto m = tiny::load("llama");
    train_options o = options_for("overfit-sgd.tok", random_samples(*m, 8, 12, 32));
    o.optimizer = {"sgd", {{"momentum", 0.9}}};
    o.lora.rank = 16;
    o.lora.alpha = 32;
    o.optimizer.max_gradient_norm = 0;
    for (int i = 0; i < 200; i++) o.learning_rates.push_back(5e-2f * float(200 - i) / 200);
    const recorded_run log = run(m, o);
    CHECK(log.steps.front().loss > 3);
    CHECK(log.result.final_loss < 0.5 * log.steps.front().loss);

    const uint64_t one_state = estimate_memory(m, o).optimizer_bytes;
    const uint64_t tensor_bytes = uint64_t(log.result.trainable_parameters) * sizeof(float);
    o.optimizer.numbers["momentum"] = 0;
    CHECK_EQ(one_state - estimate_memory(m, o).optimizer_bytes, tensor_bytes);
    o.optimizer.type = "adamw";
    CHECK_EQ(estimate_memory(m, o).optimizer_bytes - one_state, tensor_bytes);
}

TEST("train: a run with gradient checkpointing is the same bit for bit") {
    const auto m = tiny::load("qwen3");
    train_options o = options_for("again.tokens", random_samples(*m, 16, 10, 30));
    o.learning_rates.assign(4, 1e-2f);
    const recorded_run once = run(m, o);
    o.gradient_checkpointing = true;
    const recorded_run again = run(m, o);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(again.steps[i].loss, once.steps[i].loss);
        CHECK_EQ(again.steps[i].gradient_norm, once.steps[i].gradient_norm);
    }
    const uint64_t with = estimate_memory(m, o).activation_bytes;
    o.gradient_checkpointing = false;
    CHECK(with < estimate_memory(m, o).activation_bytes);
}

TEST("train: evaluation changes nothing and measures the trained model") {
    const auto samples = random_samples(*arch_llama(), 8, 20, 32);
    train_options o = options_for("evaluate.tok", samples);
    o.learning_rates.assign(10, 5e-3f);
    const recorded_run without = run(arch_llama(), o);
    o.validation = {o.train_file, 5};
    const recorded_run with = run(arch_llama(), o);
    CHECK_EQ(with.evaluations.size(), 2u);
    CHECK_EQ(with.steps.back().loss, without.steps.back().loss);
    CHECK(with.evaluations[1].loss < with.evaluations[0].loss);
    CHECK_EQ(with.result.final_validation_loss, with.evaluations[1].loss);
}

TEST("train: the stop flag ends the run within a step and nothing is written") {
    train_options o = options_for("stop.tok", random_samples(*arch_llama(), 8, 20, 32));
    o.learning_rates.assign(100, 1e-3f);
    o.output = harness::cache_directory() + "/never-written.gguf";
    std::filesystem::remove(o.output);
    std::atomic<bool> stop{false};
    int steps = 0;
    CHECK_ERROR("ABORTED", run_training(
                               arch_llama(), o,
                               [&](const train_event & event) {
                                   if (std::holds_alternative<step_event>(event) && ++steps == 3) stop = true;
                               },
                               stop));
    CHECK_EQ(steps, 3);
    CHECK(!std::filesystem::exists(o.output));
}

TEST("train: an output that is the model or a dataset is refused before anything is trained") {
    const auto m = tiny::load("llama");
    train_options options = options_for("kept-dataset", random_samples(*m, 4, 8, 16));
    options.validation = {harness::write_token_file("kept-validation", random_samples(*m, 4, 8, 16)), 0};
    options.learning_rates = {1e-3f};
    for (const std::string & input : {m->options().path, options.train_file, options.validation->file}) {
        options.output = input;
        const auto size = std::filesystem::file_size(input);
        CHECK_ERROR("OUTPUT_CONFLICT", run(m, options));
        CHECK_EQ(std::filesystem::file_size(input), size);
    }
}

TEST("train: wrong tokens and untrainable models are refused by name") {
    train_options o = options_for("range.tok", {harness::counting_sample(1 << 20, 8)});
    o.learning_rates.assign(1, 1e-3f);
    CHECK_ERROR("TOKEN_OUT_OF_RANGE", run(arch_llama(), o));
    train_options full = options_for("full.tok", random_samples(*arch_llama(), 8, 20, 32));
    full.mode = train_mode::full;
    full.learning_rates.assign(1, 1e-3f);
    CHECK_ERROR("MODEL_NOT_TRAINABLE", run(arch_llama(), full)); // mapped from its file
}
