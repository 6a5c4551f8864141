#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// What a token's experts give, weighted: y[n, n_tokens] from results [n, n_used, n_tokens] and weights [1, n_used,
// n_tokens], both dense F32.
void expert_sum(const ggml_tensor * results, const ggml_tensor * weights, ggml_tensor * y, executor & on);

// The gradients of both, from dy [n, n_tokens].
void expert_sum_back(const ggml_tensor * weights, const ggml_tensor * dy, ggml_tensor * d_results, executor & on);
void expert_weights_back(const ggml_tensor * results, const ggml_tensor * dy, ggml_tensor * d_weights, executor & on);

}
