#pragma once

#include "core/named-numbers.h"
#include "model/expert-counter.h"
#include "train/state.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace llamatune {

// Plain structs; `fields` lists each field once, by its name in JavaScript (see train/options.h), and `v.type` names
// the event. src/contract/training.ts documents them.

constexpr double not_measured = std::numeric_limits<double>::quiet_NaN(); // null in JavaScript

struct step_event {
    int64_t step = 0; // 1-based optimizer step
    int64_t total_steps = 0;
    int64_t epoch = 0;          // 1-based
    double loss = not_measured; // mean per target token of this step, nats
    named_numbers metrics;      // of the objective: means per target token of this step
    double learning_rate = 0;
    double gradient_norm = not_measured; // before clipping
    int64_t tokens = 0;                  // non-padding tokens of this step
    int64_t target_tokens = 0;
    double tokens_per_second = not_measured; // non-padding
    double samples_per_second = not_measured;
    double step_ms = not_measured;
    double forward_ms = not_measured, backward_ms = not_measured, loss_ms = not_measured;
    double optimizer_ms = not_measured, data_ms = not_measured;
    std::optional<uint64_t> memory_bytes; // resident set of the process
    double eta_ms = not_measured;
    std::optional<std::vector<layer_experts>> experts; // of this step; only with expert_statistics
};

template <class V>
void fields(V & v, step_event & e) {
    v.type("step");
    v("step", e.step);
    v("totalSteps", e.total_steps);
    v("epoch", e.epoch);
    v("loss", e.loss);
    v("metrics", e.metrics);
    v("learningRate", e.learning_rate);
    v("gradientNorm", e.gradient_norm);
    v("tokens", e.tokens);
    v("targetTokens", e.target_tokens);
    v("tokensPerSecond", e.tokens_per_second);
    v("samplesPerSecond", e.samples_per_second);
    v("stepMs", e.step_ms);
    v("forwardMs", e.forward_ms);
    v("backwardMs", e.backward_ms);
    v("lossMs", e.loss_ms);
    v("optimizerMs", e.optimizer_ms);
    v("dataMs", e.data_ms);
    v("memoryBytes", e.memory_bytes);
    v("etaMs", e.eta_ms);
    v("experts", e.experts);
}

struct evaluation_event {
    int64_t step;
    int64_t epoch;
    double loss;
    named_numbers metrics;
    int64_t target_tokens;
    double ms;
};

template <class V>
void fields(V & v, evaluation_event & e) {
    v.type("evaluation");
    v("step", e.step);
    v("epoch", e.epoch);
    v("loss", e.loss);
    v("metrics", e.metrics);
    v("targetTokens", e.target_tokens);
    v("ms", e.ms);
}

struct checkpoint_event {
    int64_t step;
    std::string path;
};

template <class V>
void fields(V & v, checkpoint_event & e) {
    v.type("checkpoint");
    v("step", e.step);
    v("path", e.path);
}

// The run continues from a checkpoint.
struct resume_event {
    int64_t step; // of the checkpoint
    std::string path;
    run_history history; // of the steps up to it
};

template <class V>
void fields(V & v, resume_event & e) {
    v.type("resume");
    v("step", e.step);
    v("path", e.path);
    v("history", e.history);
}

// The run has paused, or continues after a pause.
struct pause_event {
    int64_t step; // the last finished one
    bool paused;
};

template <class V>
void fields(V & v, pause_event & e) {
    v.type(e.paused ? "pause" : "continue");
    v("step", e.step);
}

struct epoch_event {
    int64_t epoch;
    int64_t step;
    double loss;
    named_numbers metrics;
};

template <class V>
void fields(V & v, epoch_event & e) {
    v.type("epoch");
    v("epoch", e.epoch);
    v("step", e.step);
    v("loss", e.loss);
    v("metrics", e.metrics);
}

struct warning_event {
    std::string code;
    std::string message;
};

template <class V>
void fields(V & v, warning_event & e) {
    v.type("warning");
    v("code", e.code);
    v("message", e.message);
}

// A decision has changed the course of an adaptive run.
struct intervention_event {
    intervention_record record;
};

template <class V>
void fields(V & v, intervention_event & e) {
    v.type("intervention");
    fields(v, e.record);
}

// The phases are "graph" and "train" before the first step and "save" after the last one.
struct phase_event {
    std::string phase;
    std::optional<std::string> run; // "train": the run in the names of its checkpoints, if it writes any
};

template <class V>
void fields(V & v, phase_event & e) {
    v.type("phase");
    v("phase", e.phase);
    v("run", e.run);
}

using train_event = std::variant<step_event, evaluation_event, checkpoint_event, resume_event, pause_event, epoch_event,
                                 warning_event, phase_event, intervention_event>;
using event_sink = std::function<void(const train_event &)>;

struct train_result {
    int64_t steps = 0;
    run_history history;                         // of all steps, including those before a resume
    double final_loss = not_measured;            // of the last step
    double final_validation_loss = not_measured; // NaN without validation
    double best_validation_loss = not_measured;  // the lowest one
    std::optional<int64_t> best_step;            // at which it was measured
    bool stopped_early = false;                  // by the patience of the validation, or by a decision
    int64_t tokens = 0;                          // of the whole run, including the steps before a resume
    int64_t target_tokens = 0;
    double seconds = not_measured;           // of this call, without pauses
    double paused_seconds = 0;               // of this call
    double tokens_per_second = not_measured; // of this call: its tokens over its seconds; NaN without a step
    int64_t trainable_parameters = 0;
    std::optional<uint64_t> peak_memory_bytes;
    uint64_t weight_cache_bytes = 0; // of the frozen weights that were kept in the layout that products read
    std::optional<std::vector<layer_experts>> experts; // of the steps of this call; only with expert_statistics
};

template <class V>
void fields(V & v, train_result & r) {
    v("steps", r.steps);
    fields(v, r.history);
    v("finalLoss", r.final_loss);
    v("finalValidationLoss", r.final_validation_loss);
    v("bestValidationLoss", r.best_validation_loss);
    v("bestStep", r.best_step);
    v("stoppedEarly", r.stopped_early);
    v("tokens", r.tokens);
    v("targetTokens", r.target_tokens);
    v("seconds", r.seconds);
    v("pausedSeconds", r.paused_seconds);
    v("tokensPerSecond", r.tokens_per_second);
    v("trainableParameters", r.trainable_parameters);
    v("peakMemoryBytes", r.peak_memory_bytes);
    v("weightCacheBytes", r.weight_cache_bytes);
    v("experts", r.experts);
}

}
