#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>

namespace llamatune {

// Plain structs: the binding turns them into JavaScript objects. A number that was not measured is NaN (null in JS).

struct step_event {
    int64_t step; // 1-based optimizer step
    int64_t total_steps;
    int64_t epoch; // 1-based
    double loss;   // mean cross-entropy per target token of this step, nats
    double learning_rate;
    double gradient_norm; // before clipping
    int64_t tokens;       // non-padding tokens of this step
    int64_t target_tokens;
    double tokens_per_second; // non-padding
    double samples_per_second;
    double step_ms;
    double forward_ms, backward_ms, loss_ms, optimizer_ms, data_ms;
    int64_t memory_bytes; // resident set of the process; 0 where it cannot be read
    double eta_ms;
};

struct evaluation_event {
    int64_t step;
    int64_t epoch;
    double loss;
    int64_t target_tokens;
    double ms;
};
struct checkpoint_event {
    int64_t step;
    std::string path;
};
struct epoch_event {
    int64_t epoch;
    int64_t step;
    double loss;
};
struct warning_event {
    std::string code;
    std::string message;
};
struct phase_event {
    std::string phase;
}; // "model", "graph", "train": what a run does before its first step

using train_event =
    std::variant<step_event, evaluation_event, checkpoint_event, epoch_event, warning_event, phase_event>;
using event_sink = std::function<void(const train_event &)>;

struct train_result {
    int64_t steps;
    double final_loss;            // of the last step
    double final_validation_loss; // NaN without validation
    int64_t tokens;               // of the whole run, including the steps before a resume
    int64_t target_tokens;
    double seconds;           // of this call
    double tokens_per_second; // of this call: its tokens over its seconds
    int64_t trainable_parameters;
    int64_t peak_memory_bytes;
};

}
