#include "train/trainer.h"

#include "core/atomic-file.h"
#include "core/error.h"
#include "core/process-memory.h"
#include "data/prefetch.h"
#include "model/tokenizer.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/plan.h"
#include "train/profile.h"
#include "train/step.h"
#include "train/trainee.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

constexpr int64_t most_non_finite = 5; // steps in a row before the run gives up

double ms_between(clock::time_point a, clock::time_point b) {
    return std::chrono::duration<double, std::milli>(b - a).count();
}

void stop_if_asked(const std::atomic<bool> & stop) {
    if (stop) { throw error("ABORTED", "the run was aborted"); }
}

void require_tokens_of(const model & base, const token_file & file, const std::string & path) {
    const int32_t n_vocab = vocabulary_size(base);
    if (file.max_token() >= n_vocab) {
        throw error("TOKEN_OUT_OF_RANGE",
                    "expected tokens below " + std::to_string(n_vocab) + " (the model's vocabulary) but received " +
                        std::to_string(file.max_token()) + " in " + path,
                    "Tokens must come from this model's own tokenizer.");
    }
}

bool due(int64_t step, int32_t every_steps) { return every_steps > 0 && step % every_steps == 0; }

std::vector<std::string> inputs_of(const model & base, const train_options & options) {
    return {base.options().path, options.train_file, options.validation ? options.validation->file : "",
            options.lora.init_adapter.value_or("")};
}

// Smooths the time per step over the last few, for the remaining time.
class pace {
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

}

train_result run_training(const std::shared_ptr<model> & base, const train_options & options,
                          const event_sink & on_event, const std::atomic<bool> & stop) {
    const struct at_end {
        ~at_end() { release_freed_memory(); }
    } last; // after everything below is gone
    const auto run_start = clock::now();
    check_train_options(options);
    require_output_apart_from(options.output, inputs_of(*base, options));
    const auto file = token_file::open(options.train_file);
    require_tokens_of(*base, *file, options.train_file);
    loader data(*file, loader_options_of(options));
    const int64_t total_steps = int64_t(options.learning_rates.size());
    stop_if_asked(stop);

    on_event(phase_event{"graph"});
    compute devices(*base, options.n_threads, name_of(options.precision));
    devices.set_stop(&stop);
    trainee subject(base, options);
    auto graph = std::make_unique<forward>(base, subject.adapter_handle(), shape_of(options), devices);
    subject.collect(*graph);
    parameter_set & parameters = subject.parameters();
    const std::string profile = profile_path();
    step_options how = step_options_of(options);
    how.profile = !profile.empty();
    step micro_step(std::move(graph), devices, &parameters, how);
    int64_t n_micro_batches = 0;
    optimizer optim(parameters, options.optimizer, devices);
    std::unique_ptr<evaluator> validation;
    if (options.validation) { validation = std::make_unique<evaluator>(base, subject, options, devices); }

    checkpoint_state at;
    const std::optional<checkpoint_options> & checkpoint = options.checkpoint;
    if (checkpoint && checkpoint->resume) {
        if (const auto path = newest_checkpoint(checkpoint->directory)) {
            at = read_checkpoint(*path, options, data.plan(), parameters, optim);
            data.seek(at.cursor);
        } else {
            on_event(warning_event{"NO_CHECKPOINT",
                                   "no checkpoint in " + checkpoint->directory + ": starting from the beginning"});
        }
    }

    const int64_t tokens_before = at.tokens;
    train_result result;
    result.trainable_parameters = parameters.n_elements();
    const auto evaluate = [&](int64_t epoch) {
        const evaluator::outcome outcome = validation->run(stop);
        result.final_validation_loss = outcome.loss;
        on_event(evaluation_event{at.step, epoch, outcome.loss, outcome.target_tokens, outcome.ms});
    };

    on_event(phase_event{"train"});
    prefetcher steps(data, uint64_t(std::max<int64_t>(0, total_steps - at.step)));
    // 1-based epoch of the last step done
    int64_t epoch = int64_t(at.cursor.epoch) + (at.cursor.row > 0 ? 1 : 0);
    pace speed;
    bool evaluated = false;
    while (at.step < total_steps) {
        stop_if_asked(stop);
        const auto start = clock::now();
        const double learning_rate = options.learning_rates[size_t(at.step)];
        const step_batch & batch = steps.next();
        const auto data_done = clock::now();

        // forward, loss and backward of every micro-batch; each target weighs the same, however the batch is cut
        parameters.zero_gradients();
        const double scale = batch.total_target_tokens ? 1.0 / batch.total_target_weight : 0.0;
        double loss = 0;
        step_timing timing;
        for (const micro_batch & micro : batch) {
            stop_if_asked(stop);
            if (micro.target_position.empty()) continue;
            loss += micro_step.run(micro, scale) * scale;
            n_micro_batches++;
            timing.forward_ms += micro_step.timing().forward_ms;
            timing.loss_ms += micro_step.timing().loss_ms;
            timing.backward_ms += micro_step.timing().backward_ms;
        }

        // clip and update
        const auto update_start = clock::now();
        const double norm = batch.total_target_tokens ? optim.gradient_norm() : not_measured;
        if (!batch.total_target_tokens) {
            loss = not_measured;
            on_event(
                warning_event{"STEP_WITHOUT_TARGETS", "step " + std::to_string(at.step + 1) +
                                                          " has no token that carries a loss: nothing was updated"});
        } else if (std::isfinite(norm) && std::isfinite(loss)) {
            optim.update(++at.updates, learning_rate, clip_coefficient(norm, options.optimizer.max_gradient_norm));
            at.non_finite = 0;
        } else if (++at.non_finite < most_non_finite) {
            on_event(warning_event{"NON_FINITE_STEP", "step " + std::to_string(at.step + 1) + " gave a loss of " +
                                                          std::to_string(loss) + " and a gradient norm of " +
                                                          std::to_string(norm) + ": nothing was updated"});
        } else {
            throw error("NON_FINITE_LOSS",
                        "expected a finite loss and gradient but received " + std::to_string(loss) + " and " +
                            std::to_string(norm) + " in " + std::to_string(at.non_finite) +
                            " steps in a row, the last being step " + std::to_string(at.step + 1),
                        "Lower optimizer.learningRate or maxGradientNorm, or add warm-up steps.");
        }
        const auto end = clock::now();

        at.step++;
        at.cursor = steps.cursor();
        at.tokens += int64_t(batch.total_tokens);
        at.target_tokens += int64_t(batch.total_target_tokens);
        if (batch.total_target_tokens) {
            at.loss = loss;
            at.epoch_loss += loss * batch.total_target_weight;
            at.epoch_weight += batch.total_target_weight;
        }
        epoch = int64_t(batch.epoch) + 1;
        const double step_ms = ms_between(start, end), seconds = step_ms / 1000;
        step_event event;
        event.step = at.step;
        event.total_steps = total_steps;
        event.epoch = epoch;
        event.loss = loss;
        event.learning_rate = learning_rate;
        event.gradient_norm = norm;
        event.tokens = int64_t(batch.total_tokens);
        event.target_tokens = int64_t(batch.total_target_tokens);
        event.tokens_per_second = double(batch.total_tokens) / seconds;
        event.samples_per_second = double(batch.n_samples) / seconds;
        event.step_ms = step_ms;
        event.forward_ms = timing.forward_ms;
        event.backward_ms = timing.backward_ms;
        event.loss_ms = timing.loss_ms;
        event.optimizer_ms = ms_between(update_start, end);
        event.data_ms = ms_between(start, data_done);
        event.memory_bytes = resident_bytes();
        event.eta_ms = speed.eta_ms(step_ms, total_steps - at.step);
        on_event(event);

        evaluated = validation && due(at.step, options.validation->every_steps);
        if (evaluated) evaluate(epoch);
        if (batch.last_of_epoch) {
            on_event(epoch_event{epoch, at.step, at.epoch_weight > 0 ? at.epoch_loss / at.epoch_weight : not_measured});
            at.epoch_loss = 0;
            at.epoch_weight = 0;
        }
        if (checkpoint && due(at.step, checkpoint->every_steps)) {
            on_event(checkpoint_event{
                at.step, write_checkpoint(checkpoint->directory, options, data.plan(), parameters, optim, at)});
        }
    }
    stop_if_asked(stop);
    if (validation && !evaluated) evaluate(epoch);
    if (!options.output.empty()) {
        on_event(phase_event{"save"});
        subject.save(options.output);
    }
    if (!profile.empty()) write_profile(profile, micro_step.profile(), n_micro_batches);

    result.steps = at.step;
    result.final_loss = at.loss;
    result.tokens = at.tokens;
    result.target_tokens = at.target_tokens;
    result.seconds = ms_between(run_start, clock::now()) / 1000;
    result.tokens_per_second = double(at.tokens - tokens_before) / result.seconds;
    result.peak_memory_bytes = peak_resident_bytes();
    return result;
}

}
