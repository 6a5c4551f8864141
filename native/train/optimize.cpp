#include "train/optimize.h"

namespace llamatune {

optimizer::optimizer(const parameter_set & parameters, const train_options & options, const compute & devices)
    : rule_(
          parameters,
          {options.optimizer.beta1, options.optimizer.beta2, options.optimizer.epsilon, options.optimizer.weight_decay},
          devices.host_buffer_type()),
      norm_scheduler_(devices.new_scheduler(rule_.max_nodes() * 4)),
      update_scheduler_(devices.new_scheduler(rule_.max_nodes() * 4)) {
    allocate_graph(norm_scheduler_.get(), rule_.norm_graph(), "the gradient norm");
    allocate_graph(update_scheduler_.get(), rule_.update_graph(), "the optimizer");
}

double optimizer::gradient_norm() {
    run_graph(norm_scheduler_.get(), rule_.norm_graph());
    return rule_.gradient_norm();
}

void optimizer::update(int64_t number, double learning_rate, double clip) {
    rule_.set_step(number, learning_rate, clip);
    run_graph(update_scheduler_.get(), rule_.update_graph());
}

}
