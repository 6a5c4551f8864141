#pragma once

struct ggml_tensor;

namespace llamatune {

class gradients;

// A weight of any type as F32, by what the devices run: a cast; where they have none for its type, its rows gathered;
// where they have neither, a product. A cast again where they have nothing of it: the CPU, which is always among them,
// then does it.
ggml_tensor * dequantized(gradients & g, ggml_tensor * weight);

// The single ways; for contiguous weights.
ggml_tensor * dequantized_by_rows(gradients & g, ggml_tensor * weight);
ggml_tensor * dequantized_by_product(gradients & g, ggml_tensor * weight);

}
