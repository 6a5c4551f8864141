#include "train/evaluate.h"

#include "core/error.h"
#include "train/plan.h"

#include <chrono>

namespace llamatune {

evaluator::evaluator(const std::shared_ptr<model> & base, const trainable_weights & weights,
                     const train_options & options, const compute & devices,
                     const std::shared_ptr<step_memory> & memory)
    : file_(token_file::open(options.validation->file)),
      data_(std::make_unique<loader>(*file_, validation_loader_options_of(options))) {
    step_options forward_only = step_options_of(options);
    forward_only.with_backward = false;
    forward_only.evaluation = true;
    forward_only.memory = memory;
    auto graph = std::make_unique<forward>(base, weights.adapter_handle(), first_shape(options), devices,
                                           uint32_t(options.sequence_length));
    step_ = std::make_unique<step>(std::move(graph), devices, nullptr, forward_only);
}

evaluator::outcome evaluator::run(const std::atomic<bool> & stop) {
    const auto start = std::chrono::steady_clock::now();
    double total = 0, weight = 0;
    named_numbers metrics = step_->metric_sums();
    for (auto & [name, sum] : metrics) sum = 0;
    int64_t targets = 0;
    data_->seek(0);
    for (uint64_t i = 0; i < data_->plan().steps_per_epoch; i++) {
        data_->next(samples_);
        for (const micro_batch & batch : samples_) {
            if (stop) { throw error("ABORTED", "the run was aborted"); }
            if (batch.target_position.empty()) continue;
            total += step_->run(batch, 0.0);
            for (const auto & [name, sum] : step_->metric_sums()) metrics[name] += sum;
        }
        targets += int64_t(samples_.total_target_tokens);
        weight += samples_.total_target_weight;
    }
    for (auto & [name, sum] : metrics) sum /= weight;
    return {total / weight, metrics, targets,
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count()};
}

}
