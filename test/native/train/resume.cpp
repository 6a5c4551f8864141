#include "core/error.h"
#include "harness.h"
#include "train/checkpoint-runs.h"
#include "train/state.h"

#include <cmath>
#include <filesystem>
#include <fstream>

using namespace llamatune;
using namespace tiny;
namespace fs = std::filesystem;

namespace {

void check_resume(const optimizer_options & optimizer) {
    const auto samples = random_samples(*arch_llama(), 20, 5, 32);
    train_options o = options_for("resume.tok", samples);
    o.optimizer = optimizer;
    o.checkpoint = fresh_checkpoints("resume-checkpoints", 4);
    o.learning_rates.assign(9, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    CHECK_EQ(whole.checkpoints.size(), 2u);
    fs::remove(whole.checkpoints[1].path);
    o.checkpoint->resume = resume_options{"latest", {}};
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

}

TEST("train: a resumed run equals the uninterrupted one bit for bit") { check_resume({}); }

TEST("train: a resumed run with sgd equals the uninterrupted one bit for bit") {
    check_resume({"sgd", {{"momentum", 0.9}}});
    check_resume({"sgd", {{"momentum", 0.0}}});
}

TEST("train: a checkpoint of another run is refused in words that name every option that differs") {
    train_options o = options_for("mismatch.tok", random_samples(*arch_llama(), 8, 5, 32));
    o.optimizer = {"sgd", {{"momentum", 0.9}}};
    o.lora.alpha = 16.0f;
    o.objective.numbers["labelSmoothing"] = 0;
    o.checkpoint = fresh_checkpoints("mismatch", 1);
    o.learning_rates.assign(1, 1e-3f);
    run(arch_llama(), o);
    o.checkpoint->resume = resume_options{"latest", {}};

    train_options other = o;
    other.seed = 43;
    other.shuffle = false;
    CHECK_EQ(differences(arch_llama(), other), std::string("shuffle is false, but was true\nseed is 43, but was 42\n"));
    other = o;
    other.optimizer.numbers["momentum"] = 0;
    CHECK_EQ(differences(arch_llama(), other),
             std::string("optimizer.type is sgd without state, but was sgd with the state momentum\n"
                         "optimizer.momentum is 0, but was 0.9\n"));
    other = o;
    other.lora.alpha = 3.5f;
    other.lora.rs_lora = true;
    other.objective.numbers["labelSmoothing"] = 0.25;
    CHECK_EQ(differences(arch_llama(), other),
             std::string("objective.labelSmoothing is 0.25, but was 0\n"
                         "lora.alpha is 3.5, but was 16\nlora.rsLora is true, but was false\n"));
    other = o;
    other.lora.targets = {"attn_q"};
    CHECK(differences(arch_llama(), other).find("lora.targets selects") == 0);
    other = o;
    other.lora.rank = 5;
    CHECK(differences(arch_llama(), other).find("lora.rank gives blk.0.") == 0);
    other = options_for("mismatch-rows.tok", random_samples(*arch_llama(), 9, 5, 32));
    other.optimizer = o.optimizer;
    other.lora = o.lora;
    other.objective = o.objective;
    other.checkpoint = o.checkpoint;
    other.learning_rates = o.learning_rates;
    CHECK(differences(arch_llama(), other).find("dataset is 9 samples with ") == 0);
}

TEST("train: a damaged checkpoint is passed over with a warning, and refused if it is named") {
    train_options o = options_for("damaged.tok", random_samples(*arch_llama(), 16, 5, 32));
    o.checkpoint = fresh_checkpoints("damaged", 1);
    o.learning_rates.assign(3, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    const std::string newest = whole.checkpoints.at(2).path, bytes = contents(newest);
    o.checkpoint->every_steps = 0;
    std::string flipped = bytes;
    flipped[bytes.size() / 2] ^= 1; // the file is as long as its header says
    for (const std::string & damaged :
         {bytes.substr(0, bytes.size() / 2), bytes.substr(0, 3), flipped, std::string()}) {
        std::ofstream(fs::u8path(newest), std::ios::binary) << damaged;
        o.checkpoint->resume = resume_options{"latest", {}};
        const recorded_run rest = run(arch_llama(), o);
        CHECK_EQ(rest.warnings.size(), size_t(1));
        CHECK_EQ(rest.warnings[0].code, std::string("CHECKPOINT_SKIPPED"));
        CHECK(rest.warnings[0].message.find(newest) != std::string::npos);
        CHECK_EQ(rest.steps.size(), size_t(1));
        CHECK_EQ(rest.steps[0].loss, whole.steps[2].loss);
        o.checkpoint->resume = resume_options{newest, {}};
        CHECK_ERROR("CHECKPOINT_INVALID", run(arch_llama(), o));
    }
    for (int i : {0, 1}) fs::resize_file(whole.checkpoints[size_t(i)].path, 100);
    for (const char * from : {"latest", "auto"}) {
        o.checkpoint->resume = resume_options{from, {}};
        CHECK_ERROR("CHECKPOINT_INVALID", run(arch_llama(), o));
    }
}

TEST("train: a run can be resumed with another layout of its batches") {
    train_options o = options_for("resume-layout.tok", random_samples(*arch_llama(), 24, 5, 32));
    o.checkpoint = fresh_checkpoints("resume-layout", 2);
    o.learning_rates.assign(3, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    o.checkpoint->resume = resume_options{"latest", {}};
    o.layout = batch_layout::padding_free;
    o.micro_batch_tokens = 100;
    const recorded_run rest = run(arch_llama(), o);
    CHECK_EQ(rest.steps.size(), 1u);
    CHECK_EQ(rest.steps[0].target_tokens, whole.steps[2].target_tokens);
    CHECK_NEAR(rest.steps[0].loss, whole.steps[2].loss, 1e-5);
}

TEST("train: after a resume an epoch's loss and metrics cover all of its steps") {
    train_options o = options_for("resume-epoch.tok", random_samples(*arch_llama(), 24, 5, 32)); // 3 steps per epoch
    o.checkpoint = fresh_checkpoints("resume-epoch", 5); // before the last step of the second epoch
    o.learning_rates.assign(6, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    o.checkpoint->resume = resume_options{"latest", {}};
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
    step_totals totals;
    totals.target_tokens = 4;
    totals.target_weight = 4;
    train_state state; // as a checkpoint of an older version in the middle of an epoch gives it
    state.epoch_loss = 6;
    state.epoch_weight = 4;
    state.add(totals, 0.5, {{"tokenAccuracy", 0.25}}, {});
    CHECK_EQ(state.epoch_mean(), 1.0);
    CHECK(std::isnan(state.epoch_mean_metrics().at("tokenAccuracy")));
    state.end_epoch();
    state.add(totals, 0.5, {{"tokenAccuracy", 0.25}}, {});
    CHECK_EQ(state.epoch_mean_metrics().at("tokenAccuracy"), 0.25);
}

TEST("train: resuming a finished run reports its last step's loss and evaluates its last epoch") {
    train_options o = options_for("resume-finished.tok", random_samples(*arch_llama(), 24, 5, 32));
    o.validation = {o.train_file, 0};
    o.checkpoint = fresh_checkpoints("resume-finished", 6);
    o.learning_rates.assign(6, 1e-3f);
    const recorded_run whole = run(arch_llama(), o);
    o.checkpoint->resume = resume_options{"latest", {}};
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
