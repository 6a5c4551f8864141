#include "core/tensor-arena.h"

namespace llamatune {

tensor_arena::operator ggml_context *() {
    constexpr size_t tensors_of_context = 16 * guaranteed; // 6 MB, committed on first use
    ggml_context * last = contexts_.empty() ? nullptr : contexts_.back().get();
    if (last && ggml_get_mem_size(last) - ggml_used_mem(last) >= guaranteed * ggml_tensor_overhead()) { return last; }
    contexts_.emplace_back(ggml_init({tensors_of_context * ggml_tensor_overhead(), nullptr, /* no_alloc */ true}));
    return contexts_.back().get();
}

}
