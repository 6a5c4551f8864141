#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// The gradient of ggml's GATED_DELTA_NET (autodiff/rules-delta-rule.cpp has its formulas), with one final state.

// What delta_net_back() reads, by its place in node->src, and what it writes, one after another in a row of numbers:
// each has the shape of its source.
enum delta_net_source { net_q, net_k, net_v, net_gate, net_beta, net_state, net_dy, n_net_sources };
struct delta_net_result {
    int64_t offset[net_dy], size;
};
delta_net_result delta_net_back_layout(const ggml_tensor * const * src);

// Are these sizes that the kernel is unrolled for, laid out as it reads them?
bool delta_net_fits(const ggml_tensor * node);

// States are computed again from those kept at every 32nd token; a head's rows stay in the second-level cache
// meanwhile.
void delta_net_back(ggml_tensor * node, executor & on);

}
