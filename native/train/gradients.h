#pragma once

#include "train/event.h"
#include "train/state.h"
#include "train/step.h"
#include "train/trainer.h"

#include <atomic>

namespace llamatune {

// The measurements of one optimizer step. Means are over the weighted targets.
struct step_outcome {
    step_totals totals;
    double loss = not_measured;
    named_numbers metrics;
    double gradient_norm = not_measured;             // before clipping
    double micro_batch_gradient_norm = not_measured; // of its own mean loss; adaptive training only
    int64_t micro_batch_samples = 0;
    step_timing timing;
};

// Computes the gradients of the mean loss over all targets of a step, however it is split into batches and
// micro-batches: add() for each batch of the step, then finish(). They are computed with the weight of the first batch
// that has targets; scale() corrects that.
class step_gradients {
public:
    // `number` counts the steps. It decides which micro-batch of an adaptive step is measured, because the samples of a
    // micro-batch may have similar lengths.
    step_gradients(const train_parts & parts, int64_t number, const std::atomic<bool> & stop);

    void add(const step_batch & batch);
    // Measures the gradient norm. The outcome is valid from here on.
    void finish();

    step_outcome & outcome() { return outcome_; }
    // By which the gradients must be multiplied; 1 if the step has one batch.
    double scale() const { return unit_ > 0 ? unit_ / outcome_.totals.target_weight : 1; }

private:
    void measure_micro_batch(const micro_batch & micro);

    const train_parts & parts_;
    const size_t number_;
    const std::atomic<bool> & stop_;
    step_outcome outcome_;
    double unit_ = 0;    // the target weight of the first batch that has targets
    double balance_ = 0; // mean load-balance loss per token of each batch, times its target weight; NaN without it
};

}
