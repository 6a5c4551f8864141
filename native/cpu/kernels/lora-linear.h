#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// y[out, tokens] = W·x + scale · B·(A·x), with W [in, out] of any type and A [in, rank], B [rank, out], x [in, tokens]
// F32.
void lora_linear(executor & exec, const ggml_tensor * w, const ggml_tensor * x, const ggml_tensor * a,
                 const ggml_tensor * b, float scale, ggml_tensor * y);

scratch_need lora_linear_scratch(const executor & exec, const ggml_tensor * w, int64_t n_tokens, int64_t rank);

// Given dy: dx (+)= Wᵀ·dy + scale · Aᵀ·(Bᵀ·dy), and  da += scale · (Bᵀ·dy)·xᵀ,  db += scale · dy·(A·x)ᵀ  (Hu et al.,
// 2106.09685, differentiated). Any of dx, da and db may be null.
struct lora_linear_gradients {
    float * dx;
    bool add_to_dx;
    float * da;
    float * db;
};
void lora_linear_back(executor & exec, const ggml_tensor * w, const ggml_tensor * x, const ggml_tensor * a,
                      const ggml_tensor * b, float scale, const ggml_tensor * dy, const lora_linear_gradients & to);
scratch_need lora_linear_back_scratch(const executor & exec, const ggml_tensor * w, int64_t n_tokens, int64_t rank,
                                      bool with_dx);

}
