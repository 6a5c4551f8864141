#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// The weighted sum over a token's experts: y[n, n_tokens] from results [n, n_used, n_tokens] and weights [1, n_used,
// n_tokens], both dense F32.
void expert_sum(const ggml_tensor * results, const ggml_tensor * weights, ggml_tensor * y, executor & exec);

// The gradients of both, from dy [n, n_tokens].
void expert_sum_back(const ggml_tensor * weights, const ggml_tensor * dy, ggml_tensor * d_results, executor & exec);
void expert_weights_back(const ggml_tensor * results, const ggml_tensor * dy, ggml_tensor * d_weights, executor & exec);

}
