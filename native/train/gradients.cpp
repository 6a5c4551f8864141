#include "train/gradients.h"

#include "core/error.h"

#include <cmath>
#include <numeric>

namespace llamatune {

step_gradients::step_gradients(const train_parts & parts, int64_t number, const std::atomic<bool> & stop)
    : parts_(parts), number_(size_t(number)), stop_(stop) {
    parts_.parameters.zero_gradients();
    for (const auto & [name, sum] : parts_.model.metric_sums()) outcome_.metrics[name] = not_measured;
}

void step_gradients::add(const step_batch & batch) {
    outcome_.totals.add(batch);
    if (batch.total_target_tokens == 0) return;
    if (unit_ == 0) {
        unit_ = batch.total_target_weight;
        outcome_.loss = 0;
        for (auto & [name, value] : outcome_.metrics) value = 0;
    }
    const double scale = 1.0 / unit_;
    const double token_scale = 1.0 / double(batch.total_tokens);
    double balance = 0; // sum of the load-balance loss over the tokens of the batch
    const size_t first = parts_.decide ? number_ % batch.size() : 0;
    for (size_t i = 0; i < batch.size(); i++) {
        const micro_batch & micro = batch[(first + i) % batch.size()];
        throw_if_stopped(stop_);
        if (micro.target_position.empty()) continue;
        const double batch_share = batch.total_target_weight / unit_;
        outcome_.loss += parts_.model.run(micro, scale, token_scale * batch_share) * scale;
        balance += parts_.model.load_balance_loss() * double(micro.n_tokens);
        for (const auto & [name, sum] : parts_.model.metric_sums()) outcome_.metrics[name] += sum;
        const step_timing & timing = parts_.model.timing();
        outcome_.timing.forward_ms += timing.forward_ms;
        outcome_.timing.loss_ms += timing.loss_ms;
        outcome_.timing.backward_ms += timing.backward_ms;
        if (parts_.decide && outcome_.micro_batch_samples == 0) measure_micro_batch(micro);
    }
    balance_ += balance * token_scale * batch.total_target_weight;
}

// Only the first micro-batch of a step has its gradient to itself: the others are added to it.
void step_gradients::measure_micro_batch(const micro_batch & micro) {
    const double weight = std::accumulate(micro.target_weight.begin(), micro.target_weight.end(), 0.0);
    outcome_.micro_batch_samples = micro.n_samples;
    outcome_.micro_batch_gradient_norm = parts_.optim.gradient_norm() * unit_ / weight;
}

void step_gradients::finish() {
    if (unit_ == 0) return;
    outcome_.loss *= scale();
    for (auto & [name, value] : outcome_.metrics) value /= outcome_.totals.target_weight;
    if (!std::isnan(balance_)) outcome_.metrics["loadBalanceLoss"] = balance_ / outcome_.totals.target_weight;
    outcome_.gradient_norm = parts_.optim.gradient_norm() * scale();
}

}
