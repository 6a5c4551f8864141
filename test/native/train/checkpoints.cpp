// What checkpoints are of, when they are written, and which of them stay.
#include "core/error.h"
#include "harness.h"
#include "model/weights.h"
#include "train/checkpoint-list.h"
#include "train/checkpoint-runs.h"

#include <ggml-backend.h>

#include <filesystem>
#include <thread>

using namespace llamatune;
using namespace tiny;
namespace fs = std::filesystem;

namespace {

// 3 steps per epoch.
train_options options_of(const char * name, size_t n_steps, int32_t every_steps) {
    train_options o = options_for(std::string(name) + ".tok", random_samples(*arch_llama(), 24, 5, 32));
    o.checkpoint = fresh_checkpoints(name, every_steps);
    o.learning_rates.assign(n_steps, 1e-3f);
    o.epochs = int32_t(n_steps / 3);
    o.optimizer.numbers = {{"learningRate", 1e-3}};
    o.output = harness::cache_directory() + "/" + name + ".gguf";
    return o;
}

void resume(train_options & o, const std::string & from = "latest", std::vector<std::string> allow = {}) {
    o.checkpoint->resume = resume_options{from, std::move(allow), {"dataset", "optimizer.learningRate", "model"}};
}

std::vector<int64_t> steps_of(const recorded_run & run) {
    std::vector<int64_t> steps;
    for (const checkpoint_event & e : run.checkpoints) steps.push_back(e.step);
    return steps;
}

bool at_step(const train_event & event, int64_t step) {
    const auto * e = std::get_if<step_event>(&event);
    return e && e->step == step;
}

}

TEST("train: a resume with another model or dataset of equal sizes is refused, and accepted if it is allowed") {
    train_options o = options_of("identity", 6, 3);
    run(arch_llama(), o);
    resume(o);

    const auto other_model = model::load({arch_llama()->options().path, 0, {}, {}, {}, /* use_mmap */ false});
    ggml_tensor * weight = find_weight(*other_model, "blk.1.ffn_up.weight");
    float first = 0;
    ggml_backend_tensor_get(weight, &first, 0, sizeof(first));
    first += 1;
    ggml_backend_tensor_set(weight, &first, 0, sizeof(first));
    CHECK(differences(other_model, o).find("model is llama") == 0);

    train_options other = o;
    auto samples = random_samples(*arch_llama(), 24, 5, 32);
    std::swap(samples[0], samples[1]);
    other.train_file = harness::write_token_file("identity-swapped.tok", samples);
    other.optimizer.numbers["learningRate"] = 2e-3;
    const std::string found = differences(arch_llama(), other);
    CHECK(found.find("dataset is 24 samples") == 0);
    CHECK(found.find("optimizer.learningRate is 0.002, but was 0.001\n") != std::string::npos);
    try {
        run(arch_llama(), other);
    } catch (const error & e) {
        CHECK(e.hint().find("allow: ['dataset', 'optimizer.learningRate']") != std::string::npos);
    }
    train_options fixed = other;
    fixed.batch_size = 4;
    try {
        run(arch_llama(), fixed);
    } catch (const error & e) {
        CHECK(e.hint().find("Set batchSize as in the run that wrote it") == 0);
        CHECK(e.hint().find("allow: ['dataset', 'optimizer.learningRate']") != std::string::npos);
    }
    resume(other, "latest", {"dataset"});
    CHECK_EQ(differences(arch_llama(), other), std::string("optimizer.learningRate is 0.002, but was 0.001\n"));
    resume(other, "latest", {"dataset", "optimizer.learningRate", "model"});
    other.checkpoint->every_steps = 0;
    CHECK_EQ(differences(other_model, other), std::string("none"));
}

TEST("train: more steps are always allowed, fewer are a difference, and a warning says how the schedule continues") {
    train_options o = options_of("more-steps", 6, 6);
    run(arch_llama(), o);
    train_options more = o;
    resume(more);
    more.learning_rates.assign(9, 5e-4f);
    const recorded_run rest = run(arch_llama(), more);
    CHECK_EQ(rest.steps.size(), size_t(3));
    CHECK_EQ(rest.warnings.size(), size_t(1));
    CHECK_EQ(rest.warnings[0].code, std::string("SCHEDULE_CHANGED"));
    CHECK(rest.warnings[0].message.find("9 steps instead of 6: step 6 had 0.001, step 7 has 0.0005") !=
          std::string::npos);

    train_options fewer = o;
    resume(fewer);
    fewer.learning_rates.assign(3, 1e-3f);
    fewer.epochs = 1;
    CHECK_EQ(differences(arch_llama(), fewer), std::string("epochs gives 3 steps, but gave 6\n"));
    fewer.epochs = 2;
    CHECK_EQ(differences(arch_llama(), fewer), std::string("maxSteps gives 3 steps, but gave 6\n"));
    resume(fewer, "latest", {"maxSteps"});
    CHECK_EQ(differences(arch_llama(), fewer), std::string("none"));
}

TEST("train: runs in one folder are told apart, and none replaces the checkpoints of another one") {
    train_options first = options_of("runs", 6, 3), second = first;
    const recorded_run old_run = run(arch_llama(), first);
    second.seed = 7;
    const recorded_run whole = run(arch_llama(), second);
    CHECK_EQ(checkpoints_in(first.checkpoint->directory).size(), size_t(4));
    fs::remove(whole.checkpoints[1].path); // the newest of the second run has fewer steps than that of the first one
    resume(second);
    const recorded_run rest = run(arch_llama(), second);
    CHECK_EQ(rest.steps.size(), size_t(3));
    CHECK_EQ(rest.steps[0].loss, whole.steps[3].loss);
    CHECK_EQ(rest.checkpoints[0].path, whole.checkpoints[1].path); // the same run

    resume(first, old_run.checkpoints[0].path); // by its path
    CHECK_EQ(run(arch_llama(), first).steps[0].loss, old_run.steps[3].loss);
    resume(second, first.checkpoint->directory, {"seed"}); // continues it with another seed, which is a new run
    second.checkpoint->directory = harness::cache_directory() + "/runs-elsewhere";
    fs::remove_all(fs::u8path(second.checkpoint->directory));
    second.learning_rates.assign(9, 1e-3f);
    const recorded_run branch = run(arch_llama(), second);
    CHECK_EQ(branch.checkpoints.size(), size_t(1));
    CHECK(list_checkpoints(second.checkpoint->directory)[0].run !=
          list_checkpoints(first.checkpoint->directory)[0].run);
}

TEST("train: latest needs a checkpoint, auto does not") {
    train_options o = options_of("no-checkpoint", 3, 3);
    resume(o, "latest");
    CHECK_ERROR("CHECKPOINT_NOT_FOUND", run(arch_llama(), o));
    resume(o, o.checkpoint->directory + "/checkpoint-3-01234567.gguf");
    CHECK_ERROR("CHECKPOINT_NOT_FOUND", run(arch_llama(), o));
    resume(o, "auto");
    const recorded_run whole = run(arch_llama(), o);
    CHECK_EQ(whole.steps.size(), size_t(3));
    CHECK_EQ(whole.warnings.size(), size_t(0));
    CHECK_EQ(run(arch_llama(), o).steps.size(), size_t(0));
}

TEST("train: checkpoints are written by steps, by minutes and at the end of an epoch") {
    train_options o = options_of("when", 7, 2);
    o.checkpoint->every_epoch = true;
    CHECK(steps_of(run(arch_llama(), o)) == std::vector<int64_t>({2, 3, 4, 6}));
    o.checkpoint = fresh_checkpoints("when", 0);
    CHECK(steps_of(run(arch_llama(), o)).empty());
    o.checkpoint->every_minutes = 1e-9;
    CHECK_EQ(steps_of(run(arch_llama(), o)).size(), size_t(7));
    o.checkpoint->every_minutes = 60;
    CHECK(steps_of(run(arch_llama(), o)).empty());
}

TEST("train: the last checkpoints of the run stay, and with keepBest that of the best evaluation") {
    train_options o = options_of("keep", 9, 1);
    o.checkpoint->keep_last = 2;
    run(arch_llama(), o);
    CHECK(checkpoints_in(o.checkpoint->directory) == std::vector<std::string>({"checkpoint-8", "checkpoint-9"}));

    // the loss falls, and then rises with negative learning rates
    o.checkpoint = fresh_checkpoints("keep", 3);
    o.checkpoint->keep_last = 1;
    o.checkpoint->keep_best = true;
    o.validation = validation_options{o.train_file, 1};
    std::fill(o.learning_rates.begin() + 4, o.learning_rates.end(), -3e-3f);
    const recorded_run log = run(arch_llama(), o);
    CHECK_EQ(*log.result.best_step, 4);
    CHECK(steps_of(log) == std::vector<int64_t>({1, 2, 3, 4, 6, 9}));
    CHECK(checkpoints_in(o.checkpoint->directory) == std::vector<std::string>({"checkpoint-4", "checkpoint-9"}));
}

TEST("train: an aborted run writes a checkpoint, from which the output is the same byte for byte") {
    train_options o = options_of("abort", 9, 100);
    o.validation = validation_options{o.train_file, 2};
    o.validation->keep_best = true;
    run(arch_llama(), o);
    const std::string expected = contents(o.output);
    fs::remove(o.output);

    resume(o, "auto");
    int64_t step = 0;
    for (const int64_t until : {1, 3, 8}) {
        const error e = aborted_run(o, [&](const train_event & event) { return at_step(event, until); });
        CHECK_EQ(std::string(e.what()), "the run was aborted after step " + std::to_string(until));
        CHECK(e.hint().find("checkpoint-" + std::to_string(until) + "-") != std::string::npos);
        step = until;
    }
    CHECK_EQ(step, 8); // its evaluation was aborted, and is made first when the run continues
    std::vector<std::string> order;
    const std::atomic<bool> stop{false};
    run_training(
        arch_llama(), o,
        [&](const train_event & event) {
            if (std::holds_alternative<evaluation_event>(event)) order.push_back("evaluation");
            if (std::holds_alternative<step_event>(event)) order.push_back("step");
        },
        stop);
    CHECK(order == std::vector<std::string>({"evaluation", "step", "evaluation"}));
    CHECK(contents(o.output) == expected);
}

TEST("train: a run that is aborted before its first step writes nothing") {
    train_options o = options_of("abort-first", 9, 1);
    const error e = aborted_run(o, [](const train_event &) { return true; });
    CHECK_EQ(std::string(e.what()), std::string("the run was aborted before its first step"));
    CHECK_EQ(e.hint(), std::string());
    CHECK(!fs::exists(fs::u8path(o.checkpoint->directory)));
}

TEST("train: patience ends a run whose validation loss does not fall any more, also after a resume") {
    train_options o = options_of("patience", 9, 5);
    o.validation = validation_options{o.train_file, 1, 3};
    std::fill(o.learning_rates.begin() + 3, o.learning_rates.end(), -3e-3f);
    const recorded_run whole = run(arch_llama(), o);
    CHECK(whole.result.stopped_early);
    CHECK_EQ(whole.result.steps, 6);
    CHECK_EQ(*whole.result.best_step, 3);
    CHECK_EQ(whole.evaluations.size(), size_t(6));
    resume(o);
    const recorded_run rest = run(arch_llama(), o);
    CHECK_EQ(rest.steps.size(), size_t(1));
    CHECK(rest.result.stopped_early);
    CHECK_EQ(*rest.result.best_step, 3);
    o.validation->patience = 0;
    CHECK_EQ(run(arch_llama(), o).result.steps, 9);
}

TEST("train: with keepBest the output has the weights of the best evaluation, also after a resume") {
    train_options o = options_of("best", 3, 100);
    run(arch_llama(), o);
    const std::string expected = contents(o.output);
    o.learning_rates.resize(9, -3e-3f);
    o.validation = validation_options{o.train_file, 1};
    o.checkpoint->every_steps = 5;
    const recorded_run last = run(arch_llama(), o);
    CHECK(contents(o.output) != expected);
    CHECK(!last.result.stopped_early);
    o.validation->keep_best = true;
    const recorded_run whole = run(arch_llama(), o);
    CHECK(contents(o.output) == expected);
    CHECK_EQ(*whole.result.best_step, 3);
    CHECK_EQ(whole.result.best_validation_loss, whole.evaluations[2].loss);
    CHECK_EQ(whole.result.final_validation_loss, whole.evaluations[8].loss);
    resume(o, whole.checkpoints.at(0).path);
    fs::remove(o.output);
    run(arch_llama(), o);
    CHECK(contents(o.output) == expected);

    resume(o, last.checkpoints.at(0).path); // it has no best weights
    const recorded_run without = run(arch_llama(), o);
    CHECK_EQ(without.warnings.size(), size_t(1));
    CHECK_EQ(without.warnings[0].code, std::string("BEST_UNKNOWN"));
    CHECK(*without.result.best_step >= 5);
}

TEST("train: a paused run waits between two steps, and its losses are the same") {
    train_options o = options_of("pause", 6, 100);
    const recorded_run whole = run(arch_llama(), o);
    pause_gate gate;
    std::vector<std::string> order;
    std::vector<double> losses;
    std::thread opener;
    const std::atomic<bool> stop{false};
    const train_result result = run_training(
        arch_llama(), o,
        [&](const train_event & event) {
            if (at_step(event, 2)) gate.close();
            if (const auto * e = std::get_if<step_event>(&event)) {
                losses.push_back(e->loss);
                order.push_back(std::to_string(e->step));
            }
            const auto * e = std::get_if<pause_event>(&event);
            if (!e) return;
            order.push_back(e->paused ? "pause" : "continue");
            if (e->paused)
                opener = std::thread([&] {
                    std::this_thread::sleep_for(std::chrono::milliseconds(30));
                    gate.open();
                });
        },
        stop, &gate);
    opener.join();
    CHECK(order == std::vector<std::string>({"1", "2", "pause", "continue", "3", "4", "5", "6"}));
    CHECK(result.paused_seconds >= 0.03);
    for (size_t i = 0; i < 6; i++) CHECK_EQ(losses[i], whole.steps[i].loss);

    gate.close();
    std::atomic<bool> aborted{false};
    const auto abort_pause = [&](const train_event & event) { aborted = std::holds_alternative<pause_event>(event); };
    CHECK_ERROR("ABORTED", run_training(arch_llama(), o, abort_pause, aborted, &gate));
}
