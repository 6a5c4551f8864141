#include "core/error.h"
#include "core/join.h"
#include "harness.h"
#include "train/checkpoint-runs.h"

#include <atomic>
#include <filesystem>

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

TEST("train: a resumed run knows what all of its steps have done") {
    train_options o = adaptive_options("adaptive-history");
    o.checkpoint->every_steps = 3;
    const auto decide = [](const decision_request & request) {
        step_decision decision;
        decision.reason = "step " + std::to_string(request.step);
        if (request.step == 2) decision.learning_rate_factor = 0.5;
        if (request.step == 3 || request.step == 5) decision.update = step_update::skip;
        return decision;
    };
    const std::atomic<bool> stop{false};
    const auto text_of = [](const std::vector<intervention_record> & all) {
        return join_texts(all, [](const intervention_record & each) {
            return std::to_string(each.step) + " " + name_of(each.kind) + " " + each.reason + " " +
                   std::to_string(each.before) + " " + std::to_string(each.after);
        });
    };
    const train_result whole = run_training(arch_llama(), o, [](const train_event &) {}, stop, nullptr, decide);
    CHECK_EQ(whole.history.interventions.size(), 3u);

    const std::string folder = o.checkpoint->directory;
    for (const auto & entry : std::filesystem::directory_iterator(std::filesystem::u8path(folder)))
        if (entry.path().filename().u8string().rfind("checkpoint-3-", 0) != 0) std::filesystem::remove(entry.path());
    o.checkpoint->resume = resume_options{"latest"};
    run_history before;
    const auto record = [&](const train_event & event) {
        if (const auto * resumed = std::get_if<resume_event>(&event)) before = resumed->history;
    };
    const train_result rest = run_training(arch_llama(), o, record, stop, nullptr, decide);
    CHECK_EQ(text_of(before.interventions),
             std::string("2 learning-rate step 2 1.000000 0.500000, 3 skip step 3 nan nan"));
    CHECK(before.losses == std::vector<double>(whole.history.losses.begin(), whole.history.losses.begin() + 3));
    CHECK_EQ(before.learning_rates.size(), 3u);
    CHECK_EQ(text_of(rest.history.interventions), text_of(whole.history.interventions));
    CHECK(rest.history.losses == whole.history.losses);
    CHECK(rest.history.learning_rates == whole.history.learning_rates);
}
