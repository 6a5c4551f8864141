#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// ggml's SSM_SCAN (formulas in autodiff/scan/scan-segment.h) in one pass over time per channel, with the channel's
// state in the first-level cache.

// Whether a state is small enough; up to 256 numbers always are.
bool scan_fits(const ggml_tensor * node);

// node and node->src are those of ggml's SSM_SCAN: outputs of all tokens, then the final states. Only for states whose
// numbers have different decay rates: with one rate per head, ggml's kernel is as fast.
void scan(ggml_tensor * node, executor & exec);

// The sources of scan_back() by index in node->src, and its results, one after the other in one row. A result has the
// shape of its source; that of the states is the sequences' initial states, [d_state, head_dim, n_head, n_seqs].
enum scan_source { scan_state, scan_x, scan_dt, scan_a, scan_b, scan_c, scan_ids, scan_dy, n_scan_sources };
struct scan_result {
    int64_t x, dt, a, b, c, state, size;
}; // offsets, and the total length
scan_result scan_back_layout(const ggml_tensor * const * src);

// All gradients at once. node->src: the scan's sources, then dy. Recomputes states from those kept at every 32nd token.
void scan_back(ggml_tensor * node, executor & exec);

}
