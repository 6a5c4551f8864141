#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// The gradient of ggml's GATED_DELTA_NET (autodiff/rules-delta-rule.cpp has its formulas), with one final state.

// The sources of delta_net_back() by index in node->src, and its results, one after the other in one row. A result has
// the shape of its source.
enum delta_net_source { net_q, net_k, net_v, net_gate, net_beta, net_state, net_dy, n_net_sources };
struct delta_net_result {
    int64_t offset[net_dy], size;
};
delta_net_result delta_net_back_layout(const ggml_tensor * const * src);

// Whether the kernel is unrolled for these sizes and reads this memory layout.
bool delta_net_fits(const ggml_tensor * node);

// Recomputes states from those kept at every 32nd token, while a head's rows stay in the second-level cache.
void delta_net_back(ggml_tensor * node, executor & exec);

}
