#pragma once

#include <ggml-backend.h>

#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// Which parts of a training step a device supports. The CPU runs the others, which is slower but correct.
struct train_capabilities {
    std::vector<std::string> missing;            // ops of both passes with F16 weights that it does not run
    std::vector<std::string> weight_types;       // with which it runs every op that it runs with F16
    std::vector<std::string> other_weight_types; // whose products or gradients run on the CPU
    std::vector<std::string> optimizers;         // values of optimizer.type whose updates it runs
    std::vector<std::string> other_optimizers;   // whose updates run on the CPU
};

template <class V>
void fields(V & v, train_capabilities & c) {
    v("missing", c.missing);
    v("weightTypes", c.weight_types);
    v("otherWeightTypes", c.other_weight_types);
    v("optimizers", c.optimizers);
    v("otherOptimizers", c.other_optimizers);
}

// Queries the device with the graph of a small transformer layer, its gradients and the loss, for every weight type,
// and with the update of every optimizer. Not set for devices of RPC servers, which cannot be queried.
std::optional<train_capabilities> probe_training(ggml_backend_dev_t device);

}
