#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// Products of tokens with the experts that they use, plus those of the experts' LoRA pairs:
//     y[:, s, t] = W_e x[:, s or 0, t] + scale · B_e (A_e x),   e = ids[s, t]
// Slots are grouped by expert, and the weight of an expert is dequantized once for all of its tokens, one panel at a
// time.
struct expert_linear {
    const ggml_tensor * w;   // [k, m, n_expert], any type that ggml can dequantize
    const ggml_tensor * x;   // F32 [k, 1 or n_used, n_tokens]
    const ggml_tensor * ids; // I32 [n_used, n_tokens]
    const ggml_tensor * a;   // F32 [k, rank, n_expert], or null: no pairs
    const ggml_tensor * b;   // F32 [rank, m, n_expert]
    float scale;
};

void expert_linear_forward(executor & exec, const expert_linear & e, ggml_tensor * y);
scratch_need expert_linear_scratch(const executor & exec, const expert_linear & e);

// Null: not computed. The kernel adds to dw, da and db, and with add_to_dx also to dx.
struct expert_gradients {
    float * da;
    float * db;
    float * dw; // if the experts are trained
    float * dx; // dense, with the shape of x
    bool add_to_dx;
};

void expert_linear_back(executor & exec, const expert_linear & e, const ggml_tensor * dy, const expert_gradients & to);
scratch_need expert_linear_back_scratch(const executor & exec, const expert_linear & e);

}
