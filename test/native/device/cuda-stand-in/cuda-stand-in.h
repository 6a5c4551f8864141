#pragma once

#include <ggml-backend.h>

namespace cuda_stand_in {

// A device that runs the operations that CUDA runs, by llama.cpp's own list, and computes them on the CPU in memory
// that ggml takes for a GPU's. So a machine without a GPU shows the graphs that a CUDA device gets, which nodes the CPU
// would run instead, and that the gradients of these graphs are right. It shows nothing about CUDA's kernels.
constexpr const char * name = "CUDA-stand-in";

// `none`: for graphs that are never run, of models of any size. Weights are not read, and nothing is allocated.
enum class memory { host, none };

// Registers the device with ggml. Afterwards all models are loaded onto it by default.
void add(memory kind = memory::host);

}
