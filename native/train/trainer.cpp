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
    const double token_scale = 1.0 / double(batch.total_tokens);
    double balance = 0; // sum of the load-balance loss over the tokens
    for (const micro_batch & micro : batch) {
        throw_if_stopped(stop);
        if (micro.target_position.empty()) continue;
        outcome.loss += parts.model.run(micro, scale, token_scale) * scale;
        for (const auto & [name, sum] : parts.model.metric_sums()) outcome.metrics[name] += sum;
        balance += parts.model.load_balance_loss() * double(micro.n_tokens);
        const step_timing & timing = parts.model.timing();
        outcome.timing.forward_ms += timing.forward_ms;
        outcome.timing.loss_ms += timing.loss_ms;
        outcome.timing.backward_ms += timing.backward_ms;
    }
    for (auto & [name, value] : outcome.metrics) value /= batch.total_target_weight;
    if (!std::isnan(balance)) outcome.metrics["loadBalanceLoss"] = balance * token_scale;
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

// The loop of a run: one step after another, and what follows a step.
class training_loop {
public:
    training_loop(const train_parts & parts, train_state & state, const event_sink & on_event,
                  const std::atomic<bool> & stop, train_result & result)
        : parts_(parts), state_(state), on_event_(on_event), stop_(stop), result_(result),
          total_steps_(int64_t(parts.learning_rates.size())) {}

    void run() {
        prefetcher batches(parts_.data, uint64_t(std::max<int64_t>(0, total_steps_ - state_.step)));
        evaluate_if_due(); // the run may have been aborted during the evaluation after its last step
        while (state_.step < total_steps_ && !is_out_of_patience()) {
            pause();
            throw_if_stopped(stop_);
            finished_step finished;
            finished.last_of_epoch = train_step(batches);
            if (finished.last_of_epoch) end_epoch();
            finished.best_evaluation = evaluate_if_due();
            if (parts_.checkpoints) parts_.checkpoints->after_step(state_, finished, on_event_);
        }
        throw_if_stopped(stop_);
        if (parts_.validation && !state_.evaluated()) evaluate();
        result_.stopped_early = state_.step < total_steps_;
    }

    // Saves the finished steps of an aborted run and returns its error, which says how to continue.
    error aborted() {
        const std::string path = parts_.checkpoints ? parts_.checkpoints->save(state_, on_event_) : "";
        const std::string after =
            state_.step == 0 ? " before its first step" : " after step " + std::to_string(state_.step);
        return error("ABORTED", "the run was aborted" + after,
                     path.empty() ? "" : "resume it from its last checkpoint, " + path + " (checkpoint.resume)");
    }

private:
    // Returns whether the step was the last one of its epoch.
    bool train_step(prefetcher & batches) {
        const auto start = clock::now();
        step_outcome outcome;
        const step_batch & batch = batches.next();
        outcome.data_ms = ms_since(start);

        forward_backward(parts_, batch, outcome, stop_);
        const auto update_start = clock::now();
        update(parts_, state_, batch, outcome, on_event_);
        outcome.optimizer_ms = ms_since(update_start);
        outcome.step_ms = ms_since(start);

        state_.learning_rates.push_back(double(parts_.learning_rates[size_t(state_.step)]));
        state_.add(batch, outcome.loss, outcome.metrics, batches.cursor());
        step_event event = event_of(state_, parts_, batch, outcome);
        if (parts_.experts) event.experts = parts_.experts->take_new();
        event.eta_ms = estimator_.eta_ms(outcome.step_ms, total_steps_ - state_.step);
        on_event_(event);
        return batch.last_of_epoch;
    }

    void end_epoch() {
        on_event_(epoch_event{state_.epoch(), state_.step, state_.epoch_mean(), state_.epoch_mean_metrics()});
        state_.end_epoch();
    }

    // Returns whether there was an evaluation with a new lowest loss.
    bool evaluate_if_due() {
        const bool due = parts_.validation && parts_.evaluate_every > 0 && state_.step > 0 &&
                         state_.step % parts_.evaluate_every == 0 && !state_.evaluated();
        return due && evaluate();
    }

    bool evaluate() {
        const evaluator::outcome outcome = parts_.validation->run(stop_);
        state_.evaluations.push_back({state_.step, outcome.loss, outcome.metrics});
        on_event_(evaluation_event{state_.step, state_.epoch(), outcome.loss, outcome.metrics, outcome.target_tokens,
                                   outcome.ms});
        const bool best = state_.best_evaluation() == &state_.evaluations.back();
        if (best && parts_.best) parts_.best->store();
        return best;
    }

    bool is_out_of_patience() const {
        return parts_.patience > 0 && state_.evaluations_since_best() >= parts_.patience;
    }

    void pause() {
        if (!parts_.pause || !parts_.pause->closed()) return;
        const auto start = clock::now();
        on_event_(pause_event{state_.step, true});
        parts_.pause->wait(stop_);
        result_.paused_seconds += ms_since(start) / 1000;
        on_event_(pause_event{state_.step, false});
    }

    const train_parts & parts_;
    train_state & state_;
    const event_sink & on_event_;
    const std::atomic<bool> & stop_;
    train_result & result_;
    const int64_t total_steps_;
    eta_estimator estimator_;
};

}

train_result train(const train_parts & parts, train_state & state, const event_sink & on_event,
                   const std::atomic<bool> & stop) {
    train_result result;
    result.trainable_parameters = parts.parameters.n_elements();
    training_loop loop(parts, state, on_event, stop, result);
    try {
        loop.run();
    } catch (const error & failed) {
        if (failed.code() != "ABORTED") throw;
        throw loop.aborted();
    }
    result.steps = state.step;
    result.final_loss = state.loss;
    if (!state.evaluations.empty()) result.final_validation_loss = state.evaluations.back().loss;
    if (const evaluation_record * best = state.best_evaluation()) {
        result.best_validation_loss = best->loss;
        result.best_step = best->step;
    }
    result.tokens = state.tokens;
    result.target_tokens = state.target_tokens;
    result.losses = state.losses;
    result.learning_rates = state.learning_rates;
    result.evaluations = state.evaluations;
    return result;
}

}
