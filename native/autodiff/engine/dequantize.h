#pragma once

struct ggml_tensor;

namespace llamatune {

class gradients;

// Converts a weight of any type to F32 by an op that the devices run: a cast; else GET_ROWS of all rows; else a
// product. If the devices run none of the three, a cast, which then runs on the CPU.
ggml_tensor * dequantized(gradients & g, ggml_tensor * weight);

// The second and the third of these ways; exposed for tests.
ggml_tensor * dequantized_by_rows(gradients & g, ggml_tensor * weight);
ggml_tensor * dequantized_by_product(gradients & g, ggml_tensor * weight);

}
