#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

inline bool dense_rows(const ggml_tensor * t) { return t->nb[0] == ggml_type_size(t->type); }

// Computes a MUL_MAT or OUT_PROD node. Result and second source are F32, the first source has any type and dense rows.
void run_product(executor & exec, ggml_tensor * node);
scratch_need product_scratch(const ggml_tensor * node, const executor & exec);

}
