#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// ggml's SSM_SCAN (autodiff/scan-segment.h has its formulas) in one pass over time for each channel, whose state stays
// in the CPU's first cache.

// Is a state small enough? (At least 256 numbers are.)
bool scan_fits(const ggml_tensor * node);

// node->src as ggml's SSM_SCAN, the node too: outputs of all tokens, then the final states. Where every number of a
// state decays at its own rate; ggml's kernel for heads that decay alike is as fast as one of ours would be.
void scan(ggml_tensor * node, executor & on);

// What scan_back() reads, by its place in node->src, and what it writes, one after another in a row of numbers: each
// has the shape of its source (of the states: those that the sequences start from, [d_state, head_dim, n_head,
// n_seqs]).
enum scan_source { scan_state, scan_x, scan_dt, scan_a, scan_b, scan_c, scan_ids, scan_dy, n_scan_sources };
struct scan_result {
    int64_t x, dt, a, b, c, state, size;
}; // offsets, and the length of it all
scan_result scan_back_layout(const ggml_tensor * const * src);

// All gradients at once. node->src: the scan's sources, then dy. States are computed again from those kept at every
// 32nd token.
void scan_back(ggml_tensor * node, executor & on);

}
