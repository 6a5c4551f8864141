#pragma once

struct ggml_tensor;

namespace llamatune {

class gradients;

// A weight of any type as F32, by an op that the devices run: a cast; without a cast for its type, GET_ROWS of all
// rows; without that, a product. If they run none of the three, a cast, which the CPU then does.
ggml_tensor * dequantized(gradients & g, ggml_tensor * weight);

// Each of these ways.
ggml_tensor * dequantized_by_rows(gradients & g, ggml_tensor * weight);
ggml_tensor * dequantized_by_product(gradients & g, ggml_tensor * weight);

}
