#pragma once

// One small forward graph per gradient rule and variant, in the file of the rule's family; a rule without a case fails
// "every rule has a case". ARCHITECTURE.md says how to add a rule.

#include "core/graph-builder.h"
#include "core/rng.h"

#include <ggml.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace op_cases {

// Makes the leaves of a case. Their values are set when they are allocated.
class leaves {
public:
    explicit leaves(uint64_t seed);

    llamatune::graph_builder & graph() { return graph_; }
    llamatune::tensor_arena & ctx() { return graph_.ctx(); } // for the case's nodes

    // Trained F32 leaves, whose gradients are checked.
    ggml_tensor * parameter(std::vector<int64_t> ne, float lo = -1.0f, float hi = 1.0f);
    // Random signs and |x| in [lo, hi), for functions with a kink at zero.
    ggml_tensor * signed_parameter(std::vector<int64_t> ne, float lo, float hi);

    ggml_tensor * constant(std::vector<int64_t> ne, float lo = -1.0f, float hi = 1.0f);
    ggml_tensor * typed(ggml_type type, std::vector<int64_t> ne,
                        std::vector<float> values = {}); // F16, BF16, quantized
    ggml_tensor * indices(std::vector<int64_t> ne, std::vector<int32_t> values);
    ggml_tensor * long_indices(std::vector<int64_t> ne, std::vector<int64_t> values);

    const std::vector<ggml_tensor *> & parameters() const { return parameters_; }

    void allocate(ggml_backend_buffer_type_t type);

private:
    ggml_tensor * leaf(ggml_type type, const std::vector<int64_t> & ne);

    llamatune::rng random_;
    llamatune::graph_builder graph_;
    ggml_context_ptr leaf_ctx_;
    ggml_backend_buffer_ptr buffer_;
    std::vector<ggml_tensor *> parameters_;
    std::vector<std::function<void()>> fill_;
};

struct op_case {
    std::string rule; // the row of the rule table that it tests
    std::string name; // the variant
    std::function<ggml_tensor *(leaves &)> build;

    // Step of the central differences. Linear ops use large steps if the forward pass rounds to a narrow type: the
    // difference is then exact up to the rounding.
    double step = 1e-2;
    // Largest ‖numeric - analytic‖ / ‖numeric‖ of a parameter.
    double tolerance = 1e-3;
};

// Makes a scan of a state-space model with all sources trained; by_head: one decay per head.
struct scan_shape {
    int64_t d_state, head_dim, n_head, n_group, n_t, n_seqs;
};
ggml_tensor * scan(leaves & l, const scan_shape & s, bool by_head);

// x², so that a misplaced gradient shows even if the rest of the graph is linear.
ggml_tensor * squared(leaves & l, ggml_tensor * x);

const std::vector<op_case> & all();

std::vector<op_case> elementwise();
std::vector<op_case> shape();
std::vector<op_case> matmul();
std::vector<op_case> norm();
std::vector<op_case> attention();
std::vector<op_case> hyper_connection();
std::vector<op_case> triangular();
std::vector<op_case> window();
std::vector<op_case> ssm();
std::vector<op_case> linear_attention();
std::vector<op_case> activations();
std::vector<op_case> moe();

}
