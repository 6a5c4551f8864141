#pragma once

#include "core/tensor-arena.h"
#include "optim/optimizer-options.h"
#include "optim/parameter.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace llamatune {

// How an optimizer updates one parameter. To add an optimizer, add a file <name>.cpp to optim/optimizers that defines
//     std::unique_ptr<optimizer_rule> make_<name>(const optimizer_options &)
// and a value of optimizer.type in the configuration.
class optimizer_rule {
public:
    virtual ~optimizer_rule() = default;

    // Names of the state tensors of a parameter. They have its shape and start at zero.
    virtual std::vector<std::string> state_names() const = 0;

    // The values of the tensor `numbers` that update() reads. `update` counts the updates from 1.
    virtual std::vector<float> numbers(int64_t update, double learning_rate, bool decay) const = 0;

    // Makes the nodes that update p.value and `state` (in the order of state_names) in place, in execution order.
    // `gradient` is F32 and clipped; p.gradient itself must not change.
    virtual std::vector<ggml_tensor *> update(tensor_arena & ctx, const parameter & p, ggml_tensor * gradient,
                                              const std::vector<ggml_tensor *> & state,
                                              ggml_tensor * numbers) const = 0;
};

// The values of optimizer.type.
std::vector<std::string> optimizer_types();

// Throws error CONFIG_INVALID for a type that does not exist.
std::unique_ptr<optimizer_rule> make_optimizer_rule(const optimizer_options & options);

}
