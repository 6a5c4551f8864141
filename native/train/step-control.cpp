#include "train/step-control.h"

#include "core/error.h"

namespace llamatune {

namespace {

// A run that continues the run of another kind keeps the position in the data, but no decisions.
void convert(train_state & state, bool adaptive) {
    if (!adaptive && !state.adaptive) return;
    if (adaptive && state.adaptive) return;
    const int64_t batches = state.batches();
    state.adaptive.emplace().batches = batches;
}

}

step_control::step_control(const train_parts & parts, train_state & state, const event_sink & on_event)
    : parts_(parts), state_(state), on_event_(on_event), learning_rates_(parts.learning_rates),
      restored_(parts.decide && state.adaptive) {
    convert(state, bool(parts.decide));
    if (!state.adaptive) return;
    // A run that is resumed with more epochs than it was extended to has a new schedule.
    const std::vector<double> & extended = state.adaptive->learning_rates;
    if (extended.size() > learning_rates_.size()) learning_rates_.assign(extended.begin(), extended.end());
}

double step_control::learning_rate() const {
    const auto rate = double(learning_rates_[size_t(state_.batches())]);
    return state_.adaptive ? rate * state_.adaptive->factor : rate;
}

decision_request step_control::request(const step_outcome & outcome) const {
    const adaptive_state & adaptive = *state_.adaptive;
    const auto per_epoch = int64_t(parts_.data.plan().steps_per_epoch);
    decision_request r;
    r.step = state_.step + 1;
    const int64_t after = batches_left() - outcome.totals.batches;
    r.total_steps = r.step + (after + accumulation() - 1) / accumulation();
    r.epoch = state_.batches() / per_epoch + 1;
    r.epochs = (total_batches() + per_epoch - 1) / per_epoch;
    r.loss = outcome.loss;
    r.metrics = outcome.metrics;
    r.gradient_norm = outcome.gradient_norm;
    r.learning_rate = learning_rate();
    r.learning_rate_factor = adaptive.factor;
    r.accumulation = adaptive.accumulation;
    r.samples = outcome.totals.samples;
    r.tokens = outcome.totals.tokens;
    r.target_tokens = outcome.totals.target_tokens;
    if (outcome.micro_batch_samples > 0 && outcome.micro_batch_samples < r.samples) {
        r.micro_batch_samples = outcome.micro_batch_samples;
        r.micro_batch_gradient_norm = outcome.micro_batch_gradient_norm;
    }
    if (adaptive.kept_step >= 0) r.kept_step = adaptive.kept_step;
    if (!state_.history.evaluations.empty()) {
        r.evaluation_step = state_.history.evaluations.back().step;
        r.evaluation_loss = state_.history.evaluations.back().loss;
    }
    if (restored_) r.controller_state = adaptive.controller;
    return r;
}

bool step_control::decide(const step_outcome & outcome, prefetcher & batches) {
    if (!parts_.decide) return true;
    const step_decision decision = parts_.decide(request(outcome));
    restored_ = false;
    if (const auto & f = decision.failure) throw error(f->code, f->message, f->hint);
    adaptive_state & adaptive = *state_.adaptive;
    adaptive.controller = decision.controller_state;
    if (decision.keep) {
        parts_.kept->store();
        adaptive.kept_step = state_.step;
        adaptive.kept_updates = state_.updates;
    }
    if (decision.update == step_update::skip) report(intervention_kind::skip, decision, not_measured, not_measured);
    if (decision.update == step_update::rescue) rescue(decision);
    change_course(decision, batches);
    return decision.update == step_update::apply;
}

void step_control::rescue(const step_decision & decision) {
    adaptive_state & adaptive = *state_.adaptive;
    if (adaptive.kept_step < 0) throw error("ADAPTIVE_DECISION_INVALID", "a rescue needs a state that was kept");
    parts_.kept->load();
    state_.updates = adaptive.kept_updates;
    state_.non_finite = 0;
    report(intervention_kind::rescue, decision, double(state_.step), double(adaptive.kept_step));
}

void step_control::change_course(const step_decision & decision, prefetcher & batches) {
    adaptive_state & adaptive = *state_.adaptive;
    if (const auto & factor = decision.learning_rate_factor; factor && *factor != adaptive.factor) {
        report(intervention_kind::learning_rate, decision, adaptive.factor, *factor);
        adaptive.factor = *factor;
    }
    if (const auto & n = decision.accumulation; n && *n != adaptive.accumulation) {
        report(intervention_kind::accumulation, decision, double(adaptive.accumulation), double(*n));
        adaptive.accumulation = *n;
    }
    if (const auto & rates = decision.learning_rates) {
        const auto per_epoch = double(parts_.data.plan().steps_per_epoch);
        const auto before = double(total_batches()), after = double(rates->size());
        report(intervention_kind::extend, decision, before / per_epoch, after / per_epoch);
        batches.extend(uint64_t(after - before));
        learning_rates_ = *rates;
        adaptive.learning_rates.assign(rates->begin(), rates->end());
    }
    if (decision.stop) {
        report(intervention_kind::stop, decision, double(state_.step + steps_left()), double(state_.step + 1));
        adaptive.stopped = 1;
    }
}

void step_control::report(intervention_kind kind, const step_decision & decision, double before, double after) const {
    state_.history.interventions.push_back({state_.step + 1, kind, decision.reason, before, after});
    on_event_(intervention_event{state_.history.interventions.back()});
}

}
