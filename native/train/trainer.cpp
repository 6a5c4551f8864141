#include "train/trainer.h"

#include "core/error.h"
#include "core/process-memory.h"
#include "data/prefetch.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

constexpr int64_t max_non_finite_steps = 5; // consecutive ones, before the run fails

double ms_since(clock::time_point start) {
    return std::chrono::duration<double, std::milli>(clock::now() - start).count();
}

void throw_if_stopped(const std::atomic<bool> & stop) {
    if (stop) { throw error("ABORTED", "the run was aborted"); }
}

// Estimates the remaining time from the mean time of the last steps.
class eta_estimator {
public:
    double eta_ms(double step_ms, int64_t remaining) {
        recent_.push_back(step_ms);
        if (recent_.size() > 20) recent_.pop_front();
        double sum = 0;
        for (double ms : recent_) sum += ms;
        return sum / double(recent_.size()) * double(remaining);
    }

private:
    std::deque<double> recent_;
};

// The measurements of one optimizer step.
struct step_outcome {
    double loss = not_measured;          // mean over the weighted targets
    named_numbers metrics;               // the same mean
    double gradient_norm = not_measured; // before clipping
    step_timing timing;
    double data_ms = 0, optimizer_ms = 0, step_ms = 0;
};

// Computes the gradients of the mean loss over all targets of the step, however it is split into micro-batches.
void forward_backward(const train_parts & parts, const step_batch & batch, step_outcome & outcome,
                      const std::atomic<bool> & stop) {
    parts.parameters.zero_gradients();
    for (const auto & [name, sum] : parts.model.metric_sums()) outcome.metrics[name] = not_measured;
    if (batch.total_target_tokens == 0) return;
    const double scale = 1.0 / batch.total_target_weight;
    outcome.loss = 0;
    for (auto & [name, value] : outcome.metrics) value = 0;
    for (const micro_batch & micro : batch) {
        throw_if_stopped(stop);
        if (micro.target_position.empty()) continue;
        outcome.loss += parts.model.run(micro, scale) * scale;
        for (const auto & [name, sum] : parts.model.metric_sums()) outcome.metrics[name] += sum;
        const step_timing & timing = parts.model.timing();
        outcome.timing.forward_ms += timing.forward_ms;
        outcome.timing.loss_ms += timing.loss_ms;
        outcome.timing.backward_ms += timing.backward_ms;
    }
    for (auto & [name, value] : outcome.metrics) value /= batch.total_target_weight;
}

// Clips the gradients and updates the parameters, unless the step has no targets or is not finite.
void update(const train_parts & parts, train_state & state, const step_batch & batch, step_outcome & outcome,
            const event_sink & on_event) {
    const std::string step = "step " + std::to_string(state.step + 1);
    if (batch.total_target_tokens == 0) {
        on_event(
            warning_event{"STEP_WITHOUT_TARGETS", step + " has no token that carries a loss: nothing was updated"});
        return;
    }
    outcome.gradient_norm = parts.optim.gradient_norm();
    if (std::isfinite(outcome.gradient_norm) && std::isfinite(outcome.loss)) {
        parts.optim.update(++state.updates, double(parts.learning_rates[size_t(state.step)]),
                           clip_coefficient(outcome.gradient_norm, parts.max_gradient_norm));
        state.non_finite = 0;
        return;
    }
    const std::string numbers = "a loss of " + std::to_string(outcome.loss) + " and a gradient norm of " +
                                std::to_string(outcome.gradient_norm);
    if (++state.non_finite >= max_non_finite_steps) {
        throw error("NON_FINITE_LOSS",
                    std::to_string(state.non_finite) + " consecutive steps were not finite; " + step + " gave " +
                        numbers,
                    "Lower optimizer.learningRate or maxGradientNorm, or add warm-up steps.");
    }
    on_event(warning_event{"NON_FINITE_STEP", step + " gave " + numbers + ": nothing was updated"});
}

step_event event_of(const train_state & state, const train_parts & parts, const step_batch & batch,
                    const step_outcome & outcome) {
    const double seconds = outcome.step_ms / 1000;
    step_event event;
    event.step = state.step;
    event.total_steps = int64_t(parts.learning_rates.size());
    event.epoch = state.epoch();
    event.loss = outcome.loss;
    event.metrics = outcome.metrics;
    event.learning_rate = double(parts.learning_rates[size_t(state.step - 1)]);
    event.gradient_norm = outcome.gradient_norm;
    event.tokens = int64_t(batch.total_tokens);
    event.target_tokens = int64_t(batch.total_target_tokens);
    event.tokens_per_second = double(batch.total_tokens) / seconds;
    event.samples_per_second = double(batch.n_samples) / seconds;
    event.step_ms = outcome.step_ms;
    event.forward_ms = outcome.timing.forward_ms;
    event.backward_ms = outcome.timing.backward_ms;
    event.loss_ms = outcome.timing.loss_ms;
    event.optimizer_ms = outcome.optimizer_ms;
    event.data_ms = outcome.data_ms;
    event.memory_bytes = resident_bytes();
    return event;
}

// A checkpoint that cannot be written, e.g. on a full disk, does not end the run: that would lose more.
train_event checkpoint_or_warning(const checkpoint_folder & checkpoints, const train_state & state) {
    try {
        return checkpoint_event{state.step, checkpoints.write(state)};
    } catch (const error & failed) {
        if (failed.code() != "OUTPUT_NOT_WRITABLE") throw;
        return warning_event{"CHECKPOINT_NOT_WRITTEN",
                             std::string(failed.what()) + "; the run continues without this checkpoint"};
    }
}

bool is_due(int64_t step, int64_t every_steps) { return every_steps > 0 && step % every_steps == 0; }

}

train_result train(const train_parts & parts, train_state & state, const event_sink & on_event,
                   const std::atomic<bool> & stop) {
    train_result result;
    result.trainable_parameters = parts.parameters.n_elements();
    const auto evaluate = [&] {
        const evaluator::outcome outcome = parts.validation->run(stop);
        result.final_validation_loss = outcome.loss;
        on_event(evaluation_event{state.step, state.epoch(), outcome.loss, outcome.metrics, outcome.target_tokens,
                                  outcome.ms});
    };

    const auto total_steps = int64_t(parts.learning_rates.size());
    prefetcher batches(parts.data, uint64_t(std::max<int64_t>(0, total_steps - state.step)));
    eta_estimator estimator;
    bool evaluated = false;
    while (state.step < total_steps) {
        throw_if_stopped(stop);
        const auto start = clock::now();
        step_outcome outcome;
        const step_batch & batch = batches.next();
        outcome.data_ms = ms_since(start);

        forward_backward(parts, batch, outcome, stop);
        const auto update_start = clock::now();
        update(parts, state, batch, outcome, on_event);
        outcome.optimizer_ms = ms_since(update_start);
        outcome.step_ms = ms_since(start);

        state.add(batch, outcome.loss, outcome.metrics, batches.cursor());
        step_event event = event_of(state, parts, batch, outcome);
        event.eta_ms = estimator.eta_ms(outcome.step_ms, total_steps - state.step);
        on_event(event);

        evaluated = parts.validation && is_due(state.step, parts.evaluate_every);
        if (evaluated) evaluate();
        if (batch.last_of_epoch) {
            on_event(epoch_event{state.epoch(), state.step, state.epoch_mean(), state.epoch_mean_metrics()});
            state.end_epoch();
        }
        if (parts.checkpoints && is_due(state.step, parts.checkpoints->every_steps())) {
            on_event(checkpoint_or_warning(*parts.checkpoints, state));
        }
    }
    throw_if_stopped(stop);
    if (parts.validation && !evaluated) evaluate();

    result.steps = state.step;
    result.final_loss = state.loss;
    result.tokens = state.tokens;
    result.target_tokens = state.target_tokens;
    return result;
}

}
