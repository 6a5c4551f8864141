#include "train/plan.h"

#include "core/error.h"
#include "core/process-memory.h"
#include "model/weights.h"
#include "optim/optimizer.h"
#include "train/run.h"
#include "train/step.h"
#include "train/trainable-weights.h"

#include <algorithm>
#include <string>

namespace llamatune {

namespace {

// Samples that are laid out together in an evaluation, at least. Many of them leave little room between them.
constexpr uint32_t min_evaluated_together = 64;

// What the first step adds to any process: program code (6 MB on Linux), the kernels that oneDNN generates (2 MB) and
// small objects of JavaScript and the back ends.
constexpr uint64_t first_step_bytes = 15 << 20;

data_plan plan_of(const std::string & path, const loader_options & options) {
    const auto file = token_file::open(path);
    return loader(*file, options).plan();
}

data_plan plan_validation(const train_options & o) {
    try {
        return plan_of(o.validation->file, validation_loader_options_of(o));
    } catch (const error & e) { throw error(e.code(), std::string("validation: ") + e.what(), e.hint(), e.problems()); }
}

// What the process will use apart from the run's own memory and the weights. Pages of mapped weights are only resident
// if they were read recently.
uint64_t process_bytes(const model & base) {
    const uint64_t weights = host_bytes(base), resident = resident_bytes().value_or(0);
    const uint64_t mapped = base.options().use_mmap ? weights : 0;
    const auto without = [](uint64_t all, uint64_t part) { return all > part ? all - part : 0; };
    return first_step_bytes +
           std::max(without(resident, weights), without(private_bytes().value_or(0), weights - mapped));
}

}

layout_options layout_options_of(const train_options & o) {
    return {o.layout, uint32_t(o.sequence_length), uint32_t(o.micro_batch_tokens), uint32_t(o.micro_batch_size)};
}

loader_options loader_options_of(const train_options & o) {
    return {uint32_t(o.batch_size), layout_options_of(o), o.shuffle, o.seed};
}

loader_options validation_loader_options_of(const train_options & o) {
    const auto rows = uint32_t(o.micro_batch_size);
    const uint32_t together = (min_evaluated_together + rows - 1) / rows * rows;
    return {together, layout_options_of(o), false, o.seed};
}

batch_shape first_shape(const train_options & o) { return largest_shapes(layout_options_of(o)).front(); }

step_options step_options_of(const train_options & o) {
    step_options options;
    const std::vector<batch_shape> shapes = largest_shapes(layout_options_of(o));
    options.largest.assign(shapes.begin() + 1, shapes.end());
    options.recompute = o.gradient_checkpointing;
    options.load_balance = o.load_balance_loss;
    options.loss = make_objective(o.objective);
    // The output matrix is converted for every chunk of logits, so large chunks are faster and small ones save memory.
    options.loss_budget_bytes = (o.gradient_checkpointing ? 256ll : 512ll) << 20;
    return options;
}

bool uses_weight_cache(const train_options & o) { return o.weight_cache && o.mode == train_mode::lora; }

train_plan plan_training(const train_options & options) {
    const data_plan plan = plan_of(options.train_file, loader_options_of(options));
    uint64_t longest = plan.longest_sample, largest = plan.largest_step;
    if (options.validation) {
        const data_plan validation = plan_validation(options);
        longest = std::max(longest, validation.longest_sample);
        largest = std::max(largest, validation.largest_step);
    }
    return {plan.n_samples,
            plan.steps_per_epoch,
            plan.steps_per_epoch * uint64_t(options.epochs),
            plan.n_tokens,
            plan.n_target_tokens,
            longest,
            plan.largest_step,
            largest};
}

memory_estimate estimate_memory(const std::shared_ptr<model> & base, const train_options & options) {
    memory_estimate estimate{};
    release_freed_memory(); // of what was estimated or trained before
    estimate.process_bytes = process_bytes(*base);
    const compute devices(*base, options.n_threads, name_of(options.precision));
    trainable_weights weights(base, options);
    auto graph = std::make_unique<forward>(base, weights.adapter_handle(), first_shape(options), devices,
                                           uint32_t(options.sequence_length));
    weights.collect(*graph);
    estimate.weights_bytes = total_bytes(*base);
    const parameter_set & parameters = weights.parameters();
    estimate.adapter_bytes = parameters.gradient_bytes();
    uint64_t largest = 0;
    for (const parameter & p : parameters.all()) largest = std::max<uint64_t>(largest, ggml_nbytes(p.gradient));
    // the gradients of one tensor at a time are squared for the norm, and clipped for the update
    estimate.optimizer_bytes = optimizer_state_bytes(options.optimizer, parameters.n_elements()) + 2 * largest;
    const uint64_t value_bytes = uint64_t(parameters.n_elements()) * sizeof(float);
    if (options.mode == train_mode::lora) estimate.adapter_bytes += value_bytes;
    if (options.adaptive) // the copy for a rescue
        estimate.adapter_bytes += value_bytes + optimizer_state_bytes(options.optimizer, parameters.n_elements());
    if (options.validation && options.validation->keep_best) estimate.adapter_bytes += value_bytes;
    step_options estimate_only = step_options_of(options);
    estimate_only.allocate = false;
    // validation uses the same memory
    const step measured(std::move(graph), devices, &weights.parameters(), estimate_only);
    estimate.activation_bytes = measured.compute_bytes();
    estimate.graph_bytes = measured.graph_bytes();
    if (uses_weight_cache(options)) estimate.weight_cache_bytes = measured.weight_cache_bytes();
    estimate.total_bytes = estimate.weights_bytes + estimate.adapter_bytes + estimate.optimizer_bytes +
                           estimate.activation_bytes + estimate.graph_bytes + estimate.weight_cache_bytes +
                           estimate.process_bytes;
    return estimate;
}

}
