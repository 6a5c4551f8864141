#include "train/recorded-run.h"
#include "train/state.h"

#include "core/error.h"
#include "harness.h"
#include "train/state.h"

#include <cmath>
#include <filesystem>

using namespace llamatune;
using namespace tiny;

namespace {

void check_resume(const optimizer_options & optimizer) {
    namespace fs = std::filesystem;
    const auto samples = random_samples(*arch_llama(), 20, 5, 32);
    train_options o = options_for("resume.tok", samples);
    o.optimizer = optimizer;
    o.checkpoint = {harness::cache_directory() + "/resume-checkpoints", 4, false};
    fs::remove_all(o.checkpoint->directory);
    o.learning_rates.assign(9, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    CHECK_EQ(whole.checkpoints.size(), 2u);
    fs::remove(whole.checkpoints[1].path);
    o.checkpoint->resume = true;
    const recorded_run rest = run(arch_llama(), o);
    CHECK_EQ(rest.steps.size(), 5u);
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(rest.steps[i].step, whole.steps[4 + i].step);
        CHECK_EQ(rest.steps[i].loss, whole.steps[4 + i].loss);
        CHECK_EQ(rest.steps[i].gradient_norm, whole.steps[4 + i].gradient_norm);
    }
    train_options other = o;
    other.optimizer.type = optimizer.type == "sgd" ? "adamw" : "sgd";
    CHECK_ERROR("CHECKPOINT_MISMATCH", run(arch_llama(), other));
}

// The differences that a resume is refused for, one "option message" per line.
std::string differences(const train_options & options) {
    try {
        run(arch_llama(), options);
    } catch (const error & e) {
        CHECK_EQ(e.code(), std::string("CHECKPOINT_MISMATCH"));
        std::string lines;
        for (const problem & p : e.problems()) lines += p.path + " " + p.message + "\n";
        return lines;
    }
    return "none";
}

}

TEST("train: a resumed run equals the uninterrupted one bit for bit") { check_resume({}); }

TEST("train: a resumed run with sgd equals the uninterrupted one bit for bit") {
    check_resume({"sgd", {{"momentum", 0.9}}});
    check_resume({"sgd", {{"momentum", 0.0}}});
}

TEST("train: a checkpoint of another run is refused in words that name every option that differs") {
    namespace fs = std::filesystem;
    train_options o = options_for("mismatch.tok", random_samples(*arch_llama(), 8, 5, 32));
    o.optimizer = {"sgd", {{"momentum", 0.9}}};
    o.lora.alpha = 16.0f;
    o.objective.numbers["labelSmoothing"] = 0;
    o.checkpoint = {harness::cache_directory() + "/mismatch", 1, false};
    fs::remove_all(o.checkpoint->directory);
    o.learning_rates.assign(1, 1e-3f);
    run(arch_llama(), o);
    o.checkpoint->resume = true;

    train_options other = o;
    other.seed = 43;
    other.shuffle = false;
    CHECK_EQ(differences(other), std::string("shuffle is false, but was true\nseed is 43, but was 42\n"));
    other = o;
    other.optimizer.numbers["momentum"] = 0;
    CHECK_EQ(differences(other), std::string("optimizer is sgd without state, but was sgd with the state momentum\n"));
    other = o;
    other.lora.alpha = 3.5f;
    other.lora.rs_lora = true;
    other.objective.numbers["labelSmoothing"] = 0.25;
    CHECK_EQ(differences(other), std::string("lora.alpha is 3.5, but was 16\nlora.rsLora is true, but was false\n"
                                             "objective.labelSmoothing is 0.25, but was 0\n"));
    other = o;
    other.lora.targets = {"attn_q"};
    CHECK(differences(other).find("lora.targets selects") == 0);
    other = o;
    other.lora.rank = 5;
    CHECK(differences(other).find("lora.rank gives blk.0.") == 0);
    other = options_for("mismatch-rows.tok", random_samples(*arch_llama(), 9, 5, 32));
    other.optimizer = o.optimizer;
    other.lora = o.lora;
    other.objective = o.objective;
    other.checkpoint = o.checkpoint;
    other.learning_rates = o.learning_rates;
    CHECK(differences(other).find("dataset is 9 samples with ") == 0);
}

TEST("train: a damaged checkpoint is refused with advice about checkpoints") {
    namespace fs = std::filesystem;
    train_options o = options_for("damaged.tok", random_samples(*arch_llama(), 8, 5, 32));
    o.checkpoint = {harness::cache_directory() + "/damaged", 1, false};
    fs::remove_all(o.checkpoint->directory);
    o.learning_rates.assign(1, 1e-3f);
    const std::string path = run(arch_llama(), o).checkpoints.at(0).path;
    o.checkpoint->resume = true;
    for (const uintmax_t size : {fs::file_size(path) / 2, uintmax_t(3)}) {
        fs::resize_file(path, size);
        try {
            run(arch_llama(), o);
            CHECK(!"refused");
        } catch (const error & e) {
            CHECK_EQ(e.code(), std::string("CHECKPOINT_INVALID"));
            CHECK(e.hint().find("delete this checkpoint") == 0);
        }
    }
}

TEST("train: a run can be resumed with another layout of its batches") {
    namespace fs = std::filesystem;
    train_options o = options_for("resume-layout.tok", random_samples(*arch_llama(), 24, 5, 32));
    o.checkpoint = {harness::cache_directory() + "/resume-layout", 2, false};
    fs::remove_all(o.checkpoint->directory);
    o.learning_rates.assign(3, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    o.checkpoint->resume = true;
    o.layout = batch_layout::padding_free;
    o.micro_batch_tokens = 100;
    const recorded_run rest = run(arch_llama(), o);
    CHECK_EQ(rest.steps.size(), 1u);
    CHECK_EQ(rest.steps[0].target_tokens, whole.steps[2].target_tokens);
    CHECK_NEAR(rest.steps[0].loss, whole.steps[2].loss, 1e-5);
}

TEST("train: after a resume an epoch's loss and metrics cover all of its steps") {
    namespace fs = std::filesystem;
    train_options o = options_for("resume-epoch.tok", random_samples(*arch_llama(), 24, 5, 32)); // 3 steps per epoch
    o.checkpoint = {harness::cache_directory() + "/resume-epoch", 5, false}; // before the last step of the second epoch
    fs::remove_all(o.checkpoint->directory);
    o.learning_rates.assign(6, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    o.checkpoint->resume = true;
    const recorded_run rest = run(arch_llama(), o);
    CHECK_EQ(rest.steps.size(), 1u);
    CHECK_EQ(rest.epochs.size(), 1u);
    CHECK_EQ(rest.epochs[0].epoch, 2);
    CHECK_EQ(rest.epochs[0].loss, whole.epochs[1].loss);
    CHECK(rest.epochs[0].metrics == whole.epochs[1].metrics);
    double sum = 0, targets = 0;
    for (size_t i = 3; i < 6; i++) {
        sum += whole.steps[i].metrics.at("tokenAccuracy") * double(whole.steps[i].target_tokens);
        targets += double(whole.steps[i].target_tokens);
    }
    CHECK(sum > 0);
    CHECK_NEAR(whole.epochs[1].metrics.at("tokenAccuracy"), sum / targets, 1e-9);
}

TEST("train: a metric that a checkpoint lacks is not measured for the rest of its epoch") {
    step_batch batch;
    batch.total_target_tokens = 4;
    batch.total_target_weight = 4;
    train_state state; // as a checkpoint of an older version in the middle of an epoch gives it
    state.epoch_loss = 6;
    state.epoch_weight = 4;
    state.add(batch, 0.5, {{"tokenAccuracy", 0.25}}, {});
    CHECK_EQ(state.epoch_mean(), 1.0);
    CHECK(std::isnan(state.epoch_mean_metrics().at("tokenAccuracy")));
    state.end_epoch();
    state.add(batch, 0.5, {{"tokenAccuracy", 0.25}}, {});
    CHECK_EQ(state.epoch_mean_metrics().at("tokenAccuracy"), 0.25);
}

TEST("train: resuming a finished run reports its last step's loss and evaluates its last epoch") {
    namespace fs = std::filesystem;
    train_options o = options_for("resume-finished.tok", random_samples(*arch_llama(), 24, 5, 32));
    o.validation = {o.train_file, 0};
    o.checkpoint = {harness::cache_directory() + "/resume-finished", 6, false};
    fs::remove_all(o.checkpoint->directory);
    o.learning_rates.assign(6, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    o.checkpoint->resume = true;
    const recorded_run rest = run(arch_llama(), o);
    CHECK_EQ(rest.steps.size(), 0u);
    CHECK_EQ(rest.result.final_loss, whole.result.final_loss);
    CHECK_EQ(rest.evaluations.size(), 1u);
    CHECK_EQ(rest.evaluations[0].epoch, 2);
    CHECK_EQ(rest.evaluations[0].loss, whole.evaluations.back().loss);
    CHECK(std::isnan(rest.result.tokens_per_second));
    CHECK_EQ(rest.warnings.size(), size_t(1));
    CHECK_EQ(rest.warnings[0].code, std::string("NOTHING_TO_TRAIN"));
}
