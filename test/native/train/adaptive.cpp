#include "core/error.h"
#include "harness.h"
#include "train/checkpoint-runs.h"

#include <atomic>

using namespace llamatune;
using namespace tiny;

namespace {

train_options adaptive_options(const std::string & name) {
    train_options o = options_for(name + ".tok", random_samples(*arch_llama(), 20, 5, 32));
    o.adaptive = true;
    o.checkpoint = fresh_checkpoints(name, 100);
    o.learning_rates.assign(6, 1e-3f);
    return o;
}

// The losses of a run with these decisions, and the code of the error that ended it; empty if it did not fail.
struct decided_run {
    std::vector<double> losses;
    std::string code;
};

decided_run run_with(const train_options & o, const decision_source & decide, const std::atomic<bool> & stop) {
    decided_run outcome;
    const auto record = [&](const train_event & event) {
        if (const auto * step = std::get_if<step_event>(&event)) outcome.losses.push_back(step->loss);
    };
    try {
        run_training(arch_llama(), o, record, stop, nullptr, decide);
    } catch (const error & failed) { outcome.code = failed.code(); }
    return outcome;
}

step_decision unchanged(const decision_request &) { return {}; }

}

TEST("train: an abort during the update of a step does not leave a part of the parameters unchanged") {
    train_options o = adaptive_options("adaptive-abort");
    std::atomic<bool> stop{false};
    const decided_run whole = run_with(o, unchanged, stop);
    CHECK_EQ(whole.losses.size(), 6u);
    o.checkpoint = fresh_checkpoints("adaptive-abort", 100);
    const auto abort_at_3 = [&](const decision_request & request) {
        stop = request.step == 3; // the update follows
        return step_decision{};
    };
    CHECK_EQ(run_with(o, abort_at_3, stop).code, std::string("ABORTED"));
    stop = false;
    o.checkpoint->resume = resume_options{"latest", {}};
    const decided_run rest = run_with(o, unchanged, stop);
    CHECK(rest.losses == std::vector<double>(whole.losses.begin() + 3, whole.losses.end()));
}

TEST("train: a failed decision ends the run with its error and a checkpoint of the last finished step") {
    train_options o = adaptive_options("adaptive-failure");
    const std::atomic<bool> stop{false};
    const auto fail_at_4 = [](const decision_request & request) {
        step_decision decision;
        if (request.step == 4) decision.failure = {"ADAPTIVE_CONTROLLER_FAILED", "broken", "correct it"};
        return decision;
    };
    CHECK_EQ(run_with(o, fail_at_4, stop).code, std::string("ADAPTIVE_CONTROLLER_FAILED"));
    CHECK_EQ(checkpoints_in(o.checkpoint->directory).size(), 1u);
    CHECK_EQ(checkpoints_in(o.checkpoint->directory)[0], std::string("checkpoint-3"));
}

TEST("train: a rescue without a kept state is refused") {
    train_options o = adaptive_options("adaptive-rescue");
    const std::atomic<bool> stop{false};
    const auto rescue = [](const decision_request &) {
        step_decision decision;
        decision.update = step_update::rescue;
        return decision;
    };
    CHECK_EQ(run_with(o, rescue, stop).code, std::string("ADAPTIVE_DECISION_INVALID"));
}
