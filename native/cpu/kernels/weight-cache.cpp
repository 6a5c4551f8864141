#include "cpu/kernels/weight-cache.h"

#include "cpu/kernels/weight-product.h"

#include <ggml-backend.h>

namespace llamatune {

size_t weight_cache::bytes() const {
    size_t total = 0;
    for (const auto & [weight, panels] : kept_) total += panels.memory.size();
    return total;
}

std::optional<packed_weight> weight_product::packed(const activation & x, int64_t first) const {
    if (x.type != gemm_type::bf16 || !gemm_packs_bf16() || n_columns() % packed_columns != 0) return std::nullopt;
    // tensors that are trained, LoRA factors too, are F32
    const bool frozen = weight->type != GGML_TYPE_F32 && weight->op == GGML_OP_NONE && weight->buffer &&
                        ggml_backend_buffer_is_host(weight->buffer) &&
                        ggml_backend_buffer_get_usage(weight->buffer) == GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
    if (!frozen) return std::nullopt;
    return packed_weight{weight->data, direction == product_direction::forward, first, x.stride, n_columns()};
}

void add_packed(scratch_need & need, const weight_product & product, const activation & x, int64_t first) {
    if (const auto weight = product.packed(x, first)) need.weights.push_back(*weight);
}

}
