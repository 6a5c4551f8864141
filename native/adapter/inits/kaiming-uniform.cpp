// Kaiming-uniform with a = sqrt(5), as PEFT's default: U(-1/√n_in, 1/√n_in) for A, zeros for B (arXiv 2106.09685).

#include "adapter/init.h"

#include <cmath>

namespace llamatune {

void init_kaiming_uniform(const lora_pair & pair, rng & random) {
    const float bound = 1.0f / std::sqrt((float)pair.a->ne[0]);
    std::vector<float> values((size_t)ggml_nelements(pair.a));
    for (float & value : values) { value = random.uniform(-bound, bound); }
    ggml_backend_tensor_set(pair.a, values.data(), 0, ggml_nbytes(pair.a));
}

}
