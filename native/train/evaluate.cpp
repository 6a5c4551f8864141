#include "train/evaluate.h"

#include "core/error.h"

#include <chrono>

namespace llamatune {

evaluator::evaluator(const std::shared_ptr<model> & base, const trainable_weights & weights,
                     const train_options & options, const compute & devices)
    : file_(token_file::open(options.validation->file)),
      data_(std::make_unique<sequential_loader>(*file_, options.sequence_length, options.micro_batch_size,
                                                options.packing)) {
    step_options forward_only;
    forward_only.with_backward = false;
    forward_only.evaluation = true;
    forward_only.loss = make_objective(options.objective);
    auto graph = std::make_unique<forward>(
        base, weights.adapter_handle(),
        batch_shape{uint32_t(options.micro_batch_size), uint32_t(options.sequence_length), options.packing}, devices);
    step_ = std::make_unique<step>(std::move(graph), devices, nullptr, forward_only);
}

evaluator::outcome evaluator::run(const std::atomic<bool> & stop) {
    const auto start = std::chrono::steady_clock::now();
    double total = 0, weight = 0;
    named_numbers metrics = step_->metric_sums();
    for (auto & [name, sum] : metrics) sum = 0;
    int64_t targets = 0;
    data_->rewind();
    while (data_->next(batch_)) {
        if (stop) { throw error("ABORTED", "the run was aborted"); }
        total += step_->run(batch_, 0.0);
        for (const auto & [name, sum] : step_->metric_sums()) metrics[name] += sum;
        targets += int64_t(batch_.target_position.size());
        for (const float w : batch_.target_weight) weight += double(w);
    }
    for (auto & [name, sum] : metrics) sum /= weight;
    return {total / weight, metrics, targets,
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count()};
}

}
