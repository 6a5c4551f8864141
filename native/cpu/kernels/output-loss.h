#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// Cross-entropy of logits = W · hidden, without passes over memory for it: each block of logits is summed while it is
// in the cache, and the gradient of the logits exists only as operands of its product with W. Sums are added in an
// order that does not depend on the number of threads.

struct output_loss {
    const ggml_tensor * w;      // [n_embd, n_vocab], any type
    const ggml_tensor * hidden; // F32 [n_embd, columns]
    const int32_t * targets;    // [columns]
    float label_smoothing;
};

// What the backward pass needs: F32 [output_loss_values(…)].
int64_t output_loss_values(int64_t n_vocab, int64_t columns);

// losses, is_best: [columns], see accelerator.h. data: for the backward pass; without it no logits are stored.
void output_loss_forward(executor & exec, const output_loss & in, float * losses, float * is_best, float * data);

// dhidden [n_embd, columns] = the gradient of Σ weight · loss
void output_loss_backward(executor & exec, const output_loss & in, const float * data, const float * weights,
                          float * dhidden);

// The scratch memory for a number of columns, forward and backward.
scratch_need output_loss_forward_scratch(const executor & exec, const ggml_tensor * w, int64_t columns);
scratch_need output_loss_backward_scratch(const executor & exec, const ggml_tensor * w, int64_t columns);

}
