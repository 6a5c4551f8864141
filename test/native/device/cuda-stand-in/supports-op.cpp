// Compiles the functions with which llama.cpp's CUDA back end says what it runs (cmake/cuda-supports-op.cmake).

#include "device/cuda-stand-in/supports-op.h"

#include <ggml-backend-impl.h>
#include <ggml-impl.h>

#include <cstring>

namespace cuda_stand_in {

namespace {

// What these functions use of the CUDA back end. No tensor is in another CUDA device's memory, training graphs have
// neither flash attention nor fused indexers, and there are functions that dequantize these types.
#define GGML_CUDA_USE_CUB
constexpr int64_t QK_K = 256;
struct ggml_backend_cuda_device_context {
    int device;
};
using ggml_backend_cuda_buffer_type_context = ggml_backend_cuda_device_context;
bool ggml_backend_buft_is_cuda(ggml_backend_buffer_type_t) { return false; }
bool ggml_cuda_flash_attn_ext_supported(int, const ggml_tensor *) { return false; }
bool ggml_cuda_lightning_indexer_supported(int, const ggml_tensor *) { return false; }
const void * ggml_get_to_bf16_cuda(ggml_type type) {
    const bool missing = type == GGML_TYPE_Q8_K || type == GGML_TYPE_TQ1_0 || type == GGML_TYPE_TQ2_0;
    const ggml_type_traits * traits = ggml_get_type_traits(type);
    return ggml_is_quantized(type) && !missing ? reinterpret_cast<const void *>(traits->to_float) : nullptr;
}
const void * ggml_get_to_fp32_cuda(ggml_type type) {
    return type == GGML_TYPE_F16 || type == GGML_TYPE_BF16 ? "converts" : ggml_get_to_bf16_cuda(type);
}

#include "cuda-supports-op.inc"

}

bool runs_on_cuda(const ggml_tensor * op) {
    ggml_backend_cuda_device_context context{0};
    ggml_backend_device device{};
    device.context = &context;
    return ggml_backend_cuda_device_supports_op(&device, op);
}

}
