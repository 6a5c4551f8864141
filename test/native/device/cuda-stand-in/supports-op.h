#pragma once

#include <ggml-backend.h>

namespace cuda_stand_in {

// Does CUDA run this op? For GPUs since Ampere, with CUB.
bool runs_on_cuda(const ggml_tensor * op);

}
