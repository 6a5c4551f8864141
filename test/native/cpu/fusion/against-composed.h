#pragma once

// One small forward graph, computed by ggml with the table's rules composed from primitives, and by our own kernels.

#include "autodiff/op-cases.h"

#include <ggml.h>

#include <functional>
#include <string>
#include <vector>

namespace fused {

struct comparison {
    double forward;               // ‖ours - ggml's‖ / ‖ggml's‖
    std::vector<double> backward; // the same, per parameter
    std::vector<std::string> ops; // names of our nodes, in order, forward then backward
};

// `build` makes the forward graph from leaves with the same values each time. Its result is weighted and summed.
comparison against_composed(const std::function<ggml_tensor *(op_cases::leaves &)> & build, int n_threads = 2);

// Fails the test unless forward and backward agree and these are the nodes that our kernels computed.
void expect_same(const char * name, const std::vector<std::string> & ops,
                 const std::function<ggml_tensor *(op_cases::leaves &)> & build, double forward = 1e-6,
                 double backward = 1e-5);

}
