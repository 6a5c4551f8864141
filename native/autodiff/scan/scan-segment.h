#pragma once

#include "autodiff/engine/gradients.h"

namespace llamatune {

// A segment of consecutive tokens of GGML_OP_SSM_SCAN; every tensor is contiguous F32. With δ = softplus(dt), for each
// channel p of head h and each number n of its state:
//   state_t[n] = exp(δ_t A[n]) state_{t-1}[n] + B_t[n] x_t δ_t,    y_t = Σ_n state_t[n] C_t[n]
struct scan_segment {
    ggml_tensor * state;  // [d_state, head_dim, n_head, n_seqs], before the first token
    ggml_tensor * x;      // [head_dim, n_head, n_t, n_seqs]
    ggml_tensor * dt;     // [n_head, n_t, n_seqs]
    ggml_tensor * a;      // [d_state, n_head], or [1, n_head] with one decay per head (Mamba 2)
    ggml_tensor * b;      // [d_state, n_group, n_t, n_seqs]
    ggml_tensor * c;      // as b
    ggml_tensor * dy;     // as x
    ggml_tensor * dstate; // as state, after the last token
};

// The gradients of a segment's tensors; null if not wanted. `state` is the one before the first token.
struct scan_gradients {
    ggml_tensor *state, *x, *dt, *a, *b, *c;
};
struct scan_wanted {
    bool a, b, c;
};

// For Mamba, with a separate decay for every number of a channel's state. n_t must be a power of two, n_group 1.
scan_gradients differentiate_channels(gradients & g, const scan_segment & s, const scan_wanted & wanted);
// For Mamba 2, with one decay per head.
scan_gradients differentiate_heads(gradients & g, const scan_segment & s, const scan_wanted & wanted);

}
