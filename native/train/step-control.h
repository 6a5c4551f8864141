#pragma once

#include "data/prefetch.h"
#include "train/gradients.h"

namespace llamatune {

// The schedule of a run and, in adaptive training, what decisions change: it asks for them and carries them out.
class step_control {
public:
    step_control(const train_parts & parts, train_state & state, const event_sink & on_event);

    int64_t batches_left() const { return total_batches() - state_.batches(); }
    int64_t steps_left() const { return (batches_left() + accumulation() - 1) / accumulation(); }
    bool stopped() const { return state_.adaptive && state_.adaptive->stopped != 0; }
    // Batches per step.
    int64_t accumulation() const { return state_.adaptive ? state_.adaptive->accumulation : 1; }
    // Of the step in progress.
    double learning_rate() const;

    // Whether the gradients of the step in progress are to be applied. Throws error ABORTED, and the errors of the
    // controller.
    bool decide(const step_outcome & outcome, prefetcher & batches);

private:
    int64_t total_batches() const { return int64_t(learning_rates_.size()); }
    decision_request request(const step_outcome & outcome) const;
    void report(intervention_kind kind, const step_decision & decision, double before, double after) const;
    void change_course(const step_decision & decision, prefetcher & batches);
    void rescue(const step_decision & decision);

    const train_parts & parts_;
    train_state & state_;
    const event_sink & on_event_;
    std::vector<float> learning_rates_; // one per batch
    bool restored_;                     // the controller has not got its state of the checkpoint yet
};

}
