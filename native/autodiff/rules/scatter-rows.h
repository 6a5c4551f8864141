#pragma once

#include "autodiff/engine/gradients.h"

namespace llamatune::rules {

// Undoes a gather of rows: dy [k, n, b1, b2] and the row numbers, I32 [n, b1, b2], give [k, n_rows, b1, b2]. A row that
// was not gathered is zero; a row that was gathered several times gets the sum.
ggml_tensor * scatter_rows(gradients & g, ggml_tensor * dy, ggml_tensor * rows, int64_t n_rows);

}
