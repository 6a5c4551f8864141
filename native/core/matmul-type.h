#pragma once

#include <ggml-backend.h>

namespace llamatune {

// Can the device multiply matrices with factors in this type (F32 or BF16) and sums in F32, if the graph asks for it?
// Such a device reads transposed and quantized factors as they are (OUT_PROD). Without the request it may round more:
// CUDA multiplies F16 weights with sums in F16, and rounds the activations of quantized weights to 8 bits.
bool multiplies_in(ggml_backend_dev_t device, ggml_type type);

// Asks for factors in `type`, F32 or BF16, in every product of the graph that such a device may run. A factor that is
// F32 in memory stays F32 if few multiplications share the cost of its conversion: in LoRA pairs, routers of experts
// and most of attention.
void set_matmul_type(ggml_cgraph * graph, ggml_type type);

}
