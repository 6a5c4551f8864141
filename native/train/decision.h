#pragma once

#include "core/enum-names.h"
#include "core/named-numbers.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// What a controller sees of a step: its gradients are computed, and nothing has been updated yet. Times are not among
// it, so that the same seed gives the same decisions. src/adaptive/controller.ts documents the fields.
struct decision_request {
    int64_t step = 0; // the one in progress, from 1
    int64_t total_steps = 0;
    int64_t epoch = 0, epochs = 0;
    double loss = std::numeric_limits<double>::quiet_NaN();
    named_numbers metrics;
    double gradient_norm = std::numeric_limits<double>::quiet_NaN();
    double learning_rate = 0;
    double learning_rate_factor = 1;
    int64_t accumulation = 1;
    int64_t samples = 0, tokens = 0, target_tokens = 0;
    double micro_batch_gradient_norm = std::numeric_limits<double>::quiet_NaN(); // of its own mean loss
    std::optional<int64_t> micro_batch_samples;                                  // less than samples
    std::optional<int64_t> kept_step;
    std::optional<int64_t> evaluation_step;
    double evaluation_loss = std::numeric_limits<double>::quiet_NaN();
    std::optional<std::string> controller_state; // of the checkpoint, in the first request of a resumed run
};

template <class V>
void fields(V & v, decision_request & r) {
    v.type("decide");
    v("step", r.step);
    v("totalSteps", r.total_steps);
    v("epoch", r.epoch);
    v("epochs", r.epochs);
    v("loss", r.loss);
    v("metrics", r.metrics);
    v("gradientNorm", r.gradient_norm);
    v("learningRate", r.learning_rate);
    v("learningRateFactor", r.learning_rate_factor);
    v("accumulation", r.accumulation);
    v("samples", r.samples);
    v("tokens", r.tokens);
    v("targetTokens", r.target_tokens);
    v("microBatchGradientNorm", r.micro_batch_gradient_norm);
    v("microBatchSamples", r.micro_batch_samples);
    v("keptStep", r.kept_step);
    v("evaluationStep", r.evaluation_step);
    v("evaluationLoss", r.evaluation_loss);
    v("controllerState", r.controller_state);
}

// How the gradients of a step are used. rescue: they are not, and the weights and the optimizer's state become those
// that were kept.
enum class step_update { apply, skip, rescue };

inline constexpr enum_name<step_update> step_update_names[] = {
    {step_update::apply, "apply"}, {step_update::skip, "skip"}, {step_update::rescue, "rescue"}};
constexpr auto & names_of(step_update) { return step_update_names; }

// The failure of a controller, which ends the run.
struct decision_failure {
    std::string code, message, hint;
};

template <class V>
void fields(V & v, decision_failure & f) {
    v("code", f.code);
    v("message", f.message);
    v("hint", f.hint);
}

struct step_decision {
    step_update update = step_update::apply;
    bool keep = false; // keep a copy of the weights and the optimizer's state from before this step's update
    std::optional<double> learning_rate_factor;       // of the schedule, from this step on
    std::optional<int32_t> accumulation;              // batches per step, from the next step on
    std::optional<std::vector<float>> learning_rates; // the whole schedule of a longer run
    bool stop = false;                                // this step is the last one
    std::string reason;
    std::string controller_state; // for checkpoints
    std::optional<decision_failure> failure;
};

template <class V>
void fields(V & v, step_decision & d) {
    v("update", d.update);
    v("keep", d.keep);
    v("learningRateFactor", d.learning_rate_factor);
    v("accumulation", d.accumulation);
    v("learningRates", d.learning_rates);
    v("stop", d.stop);
    v("reason", d.reason);
    v("controllerState", d.controller_state);
    v("failure", d.failure);
}

// Gives the decision about a step; the training waits for it. Throws error ABORTED.
using decision_source = std::function<step_decision(const decision_request &)>;

}
