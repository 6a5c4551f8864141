#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

inline bool dense_rows(const ggml_tensor * t) { return t->nb[0] == ggml_type_size(t->type); }

// Computes a MUL_MAT or OUT_PROD node of ggml's: F32 result and second source, a first one of any type with dense rows.
void run_product(executor & on, ggml_tensor * node);

}
