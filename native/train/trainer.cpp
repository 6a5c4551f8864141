#include "train/trainer.h"

#include "core/error.h"
#include "core/process-memory.h"
#include "train/step-control.h"

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

bool is_controller_failure(const error & e) { return std::string(e.code()).rfind("ADAPTIVE_", 0) == 0; }

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

// Clips the gradients and updates the parameters, unless the step has no targets or is not finite.
void update(const train_parts & parts, train_state & state, const step_outcome & outcome, double gradient_scale,
            double learning_rate, const event_sink & on_event) {
    const std::string step = "step " + std::to_string(state.step + 1);
    if (outcome.totals.target_tokens == 0) {
        on_event(
            warning_event{"STEP_WITHOUT_TARGETS", step + " has no token that carries a loss: nothing was updated"});
        return;
    }
    if (std::isfinite(outcome.gradient_norm) && std::isfinite(outcome.loss)) {
        parts.optim.update(++state.updates, learning_rate,
                           gradient_scale * clip_coefficient(outcome.gradient_norm, parts.max_gradient_norm));
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

// The times of one optimizer step besides those of its graphs.
struct step_times {
    double data_ms = 0, optimizer_ms = 0, step_ms = 0;
};

step_event event_of(const train_state & state, const step_outcome & outcome, const step_times & times) {
    const step_totals & totals = outcome.totals;
    const double seconds = times.step_ms / 1000;
    step_event event;
    event.step = state.step;
    event.epoch = state.epoch();
    event.loss = outcome.loss;
    event.metrics = outcome.metrics;
    event.learning_rate = state.history.learning_rates.back();
    event.gradient_norm = outcome.gradient_norm;
    event.tokens = totals.tokens;
    event.target_tokens = totals.target_tokens;
    event.tokens_per_second = double(totals.tokens) / seconds;
    event.samples_per_second = double(totals.samples) / seconds;
    event.step_ms = times.step_ms;
    event.forward_ms = outcome.timing.forward_ms;
    event.backward_ms = outcome.timing.backward_ms;
    event.loss_ms = outcome.timing.loss_ms;
    event.optimizer_ms = times.optimizer_ms;
    event.data_ms = times.data_ms;
    event.memory_bytes = resident_bytes();
    return event;
}

// The loop of a run: one step after another, and what follows a step.
class training_loop {
public:
    training_loop(const train_parts & parts, train_state & state, const event_sink & on_event,
                  const std::atomic<bool> & stop, train_result & result)
        : parts_(parts), state_(state), on_event_(on_event), stop_(stop), result_(result),
          control_(parts, state, on_event) {}

    void run() {
        prefetcher batches(parts_.data, uint64_t(std::max<int64_t>(0, control_.batches_left())));
        evaluate_if_due(); // the run may have been aborted during the evaluation after its last step
        while (control_.batches_left() > 0 && !control_.stopped() && !is_out_of_patience()) {
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
        result_.stopped_early = control_.batches_left() > 0;
    }

    // Saves the finished steps of a run that was ended and returns its error, which says how to continue.
    error ended(const error & cause) {
        const std::string path = parts_.checkpoints ? parts_.checkpoints->save(state_, on_event_) : "";
        const std::string after =
            state_.step == 0 ? " before its first step" : " after step " + std::to_string(state_.step);
        const std::string resume =
            path.empty() ? "" : "resume it from its last checkpoint, " + path + " (checkpoint.resume)";
        if (cause.code() == "ABORTED") return error("ABORTED", "the run was aborted" + after, resume);
        return error(cause.code(), cause.what(), cause.hint() + (path.empty() ? "" : "; then " + resume));
    }

private:
    // Returns whether the step was the last one of its epoch.
    bool train_step(prefetcher & batches) {
        const auto start = clock::now();
        step_gradients gradients(parts_, state_.step, stop_);
        step_outcome & outcome = gradients.outcome();
        step_times times;
        do {
            const auto data_start = clock::now();
            const step_batch & batch = batches.next();
            times.data_ms += ms_since(data_start);
            gradients.add(batch);
        } while (has_another_batch(outcome.totals));
        const auto norm_start = clock::now();
        gradients.finish();
        times.optimizer_ms = ms_since(norm_start);

        const bool apply = control_.decide(outcome, batches);
        const auto update_start = clock::now();
        state_.history.learning_rates.push_back(control_.learning_rate());
        if (apply) update(parts_, state_, outcome, gradients.scale(), state_.history.learning_rates.back(), on_event_);
        times.optimizer_ms += ms_since(update_start);
        times.step_ms = ms_since(start);

        state_.add(outcome.totals, outcome.loss, outcome.metrics, batches.cursor());
        step_event event = event_of(state_, outcome, times);
        if (parts_.experts) event.experts = parts_.experts->take_new();
        const int64_t left = control_.steps_left();
        event.total_steps = state_.step + left;
        event.eta_ms = estimator_.eta_ms(times.step_ms, left);
        on_event_(event);
        return outcome.totals.last_of_epoch;
    }

    // A step does not continue in the next epoch.
    bool has_another_batch(const step_totals & totals) const {
        return totals.batches < control_.accumulation() && !totals.last_of_epoch &&
               totals.batches < control_.batches_left();
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
        state_.history.evaluations.push_back({state_.step, outcome.loss, outcome.metrics});
        on_event_(evaluation_event{state_.step, state_.epoch(), outcome.loss, outcome.metrics, outcome.target_tokens,
                                   outcome.ms});
        const bool best = state_.best_evaluation() == &state_.history.evaluations.back();
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
    step_control control_;
    eta_estimator estimator_;
};

}

void throw_if_stopped(const std::atomic<bool> & stop) {
    if (stop) { throw error("ABORTED", "the run was aborted"); }
}

train_result train(const train_parts & parts, train_state & state, const event_sink & on_event,
                   const std::atomic<bool> & stop) {
    train_result result;
    result.trainable_parameters = parts.parameters.n_elements();
    training_loop loop(parts, state, on_event, stop, result);
    try {
        loop.run();
    } catch (const error & failed) {
        if (failed.code() != "ABORTED" && !is_controller_failure(failed)) throw;
        throw loop.ended(failed);
    }
    result.steps = state.step;
    result.final_loss = state.loss;
    if (!state.history.evaluations.empty()) result.final_validation_loss = state.history.evaluations.back().loss;
    if (const evaluation_record * best = state.best_evaluation()) {
        result.best_validation_loss = best->loss;
        result.best_step = best->step;
    }
    result.tokens = state.tokens;
    result.target_tokens = state.target_tokens;
    result.history = state.history;
    return result;
}

}
