#pragma once

#include <ggml-backend.h>

#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// What a device says it can do of a training step. What it cannot, the CPU does in its place: slower, not wrong.
struct train_capabilities {
    std::vector<std::string> missing;            // ops of a step on F16 weights that it does not run
    std::vector<std::string> weight_types;       // with which it runs all that it runs with F16
    std::vector<std::string> other_weight_types; // whose products or gradients go to the CPU
};

template <class V>
void fields(V & v, train_capabilities & c) {
    v("missing", c.missing);
    v("weightTypes", c.weight_types);
    v("otherWeightTypes", c.other_weight_types);
}

// Asks with the graph of a small transformer layer, its gradients, the loss and the optimizer, once for every weight
// type. Empty for devices that cannot be asked: an RPC server's.
std::optional<train_capabilities> probe_training(ggml_backend_dev_t device);

}
