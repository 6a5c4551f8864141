#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// Products of tokens with the experts that they use, plus those of the experts' LoRA pairs:
//     y[:, s, t] = W_e x[:, s or 0, t] + scale · B_e (A_e x),   e = ids[s, t]
// Slots are grouped by expert, and each expert's weight is dequantized once for all of its tokens, a panel at a time,
// from where it lies.
struct expert_linear {
    const ggml_tensor * w;   // [k, m, n_expert], any type that ggml can dequantize
    const ggml_tensor * x;   // F32 [k, 1 or n_used, n_tokens]
    const ggml_tensor * ids; // I32 [n_used, n_tokens]
    const ggml_tensor * a;   // F32 [k, rank, n_expert], or null: no pairs
    const ggml_tensor * b;   // F32 [rank, m, n_expert]
    float scale;
};

void expert_linear_forward(executor & exec, const expert_linear & e, ggml_tensor * y);

// Each may be null: not wanted. dw, da and db are added to; dx too with add_to_dx.
struct expert_gradients {
    float * da;
    float * db;
    float * dw; // of experts that are trained themselves
    float * dx; // of x's shape, dense
    bool add_to_dx;
};

void expert_linear_back(executor & exec, const expert_linear & e, const ggml_tensor * dy, const expert_gradients & to);

}
