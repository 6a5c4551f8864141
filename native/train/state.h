#pragma once

#include "core/enum-names.h"
#include "core/named-numbers.h"
#include "data/batch.h"
#include "data/loader.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// The result of one evaluation.
struct evaluation_record {
    int64_t step; // the last one before it
    double loss;
    named_numbers metrics;
};

template <class V>
void fields(V & v, evaluation_record & r) {
    v("step", r.step);
    v("loss", r.loss);
    v("metrics", r.metrics);
}

enum class intervention_kind { learning_rate, skip, rescue, accumulation, extend, stop };

inline constexpr enum_name<intervention_kind> intervention_kind_names[] = {
    {intervention_kind::learning_rate, "learning-rate"},
    {intervention_kind::skip, "skip"},
    {intervention_kind::rescue, "rescue"},
    {intervention_kind::accumulation, "accumulation"},
    {intervention_kind::extend, "extend"},
    {intervention_kind::stop, "stop"}};
constexpr auto & names_of(intervention_kind) { return intervention_kind_names; }

// A decision that has changed the course of an adaptive run.
struct intervention_record {
    int64_t step; // the one whose decision it was
    intervention_kind kind;
    std::string reason;
    double before, after; // see src/contract/training.ts
};

template <class V>
void fields(V & v, intervention_record & r) {
    v("step", r.step);
    v("kind", r.kind);
    v("reason", r.reason);
    v("before", r.before);
    v("after", r.after);
}

// What the finished steps of a run have done, in order.
struct run_history {
    std::vector<double> losses; // NaN for a step without targets
    std::vector<double> learning_rates;
    std::vector<evaluation_record> evaluations;
    std::vector<intervention_record> interventions;
};

template <class V>
void fields(V & v, run_history & h) {
    v("losses", h.losses);
    v("learningRates", h.learning_rates);
    v("evaluations", h.evaluations);
    v("interventions", h.interventions);
}

// The progress of an adaptive run, and what the decisions have changed. Numbers, because a checkpoint stores them.
struct adaptive_state {
    int64_t batches = 0;                      // of batchSize samples, which the steps have used
    double factor = 1;                        // of the schedule's learning rate
    int64_t accumulation = 1;                 // batches per step
    int64_t stopped = 0;                      // 1: by a decision
    int64_t kept_step = -1, kept_updates = 0; // of the copies of weights and optimizer state; -1: none are kept
    std::vector<double> learning_rates;       // of an extended run; empty: those of the options
    std::string controller;                   // the controller's own state
};

// The numbers of samples, tokens and targets of an optimizer step, which has one batch or several.
struct step_totals {
    int64_t batches = 0, samples = 0, tokens = 0, target_tokens = 0;
    double target_weight = 0;
    bool last_of_epoch = false;

    void add(const step_batch & batch) {
        batches++;
        samples += int64_t(batch.n_samples);
        tokens += int64_t(batch.total_tokens);
        target_tokens += int64_t(batch.total_target_tokens);
        target_weight += batch.total_target_weight;
        last_of_epoch = batch.last_of_epoch;
    }
};

// The progress of a run, without its tensors. A checkpoint stores all of it.
struct train_state {
    int64_t step = 0;       // optimizer steps done
    int64_t updates = 0;    // steps that updated the parameters
    int64_t non_finite = 0; // consecutive steps up to the last with a loss or gradient that is not finite
    data_cursor cursor;     // of the next step
    int64_t tokens = 0, target_tokens = 0;
    double loss = std::numeric_limits<double>::quiet_NaN(); // of the last step with targets
    run_history history;
    double epoch_loss = 0, epoch_weight = 0; // sums over the targets of the epoch so far: weight · loss, weight
    named_numbers epoch_metrics;             // the same sums of the objective's metrics: weight · metric
    std::optional<adaptive_state> adaptive;

    // The batches of the data that the steps have used: the position in the schedule.
    int64_t batches() const { return adaptive ? adaptive->batches : step; }

    // The epoch of the last step, from 1.
    int64_t epoch() const { return int64_t(cursor.epoch) + (cursor.sample > 0 ? 1 : 0); }

    // The evaluation with the lowest loss, the first of several; null if there is none with a finite loss.
    const evaluation_record * best_evaluation() const {
        const evaluation_record * best = nullptr;
        for (const evaluation_record & each : history.evaluations)
            if (std::isfinite(each.loss) && (!best || each.loss < best->loss)) best = &each;
        return best;
    }

    // How many evaluations have passed since the best one.
    int64_t evaluations_since_best() const {
        const evaluation_record * best = best_evaluation();
        const std::vector<evaluation_record> & all = history.evaluations;
        return best ? all.data() + all.size() - best - 1 : int64_t(all.size());
    }

    bool evaluated() const { return !history.evaluations.empty() && history.evaluations.back().step == step; }

    // The mean loss of the epoch so far; NaN if it has no targets.
    double epoch_mean() const { return epoch_loss / epoch_weight; }

    named_numbers epoch_mean_metrics() const {
        named_numbers means = epoch_metrics;
        for (auto & [name, sum] : means) sum /= epoch_weight;
        return means;
    }

    // Adds a finished step.
    void add(const step_totals & totals, double mean_loss, const named_numbers & mean_metrics,
             const data_cursor & next) {
        step++;
        if (adaptive) adaptive->batches += totals.batches;
        history.losses.push_back(mean_loss);
        cursor = next;
        tokens += totals.tokens;
        target_tokens += totals.target_tokens;
        if (totals.target_tokens == 0) return;
        // A checkpoint of an older version may lack a metric; then its sum so far is unknown.
        const double unknown = std::numeric_limits<double>::quiet_NaN();
        for (const auto & [name, mean] : mean_metrics) {
            double & sum = epoch_metrics.try_emplace(name, epoch_weight > 0 ? unknown : 0).first->second;
            sum += mean * totals.target_weight;
        }
        loss = mean_loss;
        epoch_loss += mean_loss * totals.target_weight;
        epoch_weight += totals.target_weight;
    }

    void end_epoch() {
        epoch_loss = epoch_weight = 0;
        epoch_metrics.clear();
    }
};

}
