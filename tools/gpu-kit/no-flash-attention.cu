// Replaces the flash attention of ggml's CUDA back end: the back end says that it cannot run it, and the graph is built
// without it.
#include "fattn.cuh"

void ggml_cuda_flash_attn_ext(ggml_backend_cuda_context &, ggml_tensor *) { GGML_ABORT("no flash attention"); }

bool ggml_cuda_flash_attn_ext_supported(int, const ggml_tensor *) { return false; }

size_t ggml_cuda_flash_attn_ext_get_alloc_size(int, const ggml_tensor * dst) { return ggml_nbytes(dst); }
