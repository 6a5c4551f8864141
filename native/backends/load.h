#pragma once

#include <string>
#include <vector>

namespace llamatune {

// The GPU back ends that are compiled in, or that lie as libraries in `folder` (a portable build): "vulkan", "cuda",
// "hip", "metal". A portable build also names the path in the variable GGML_BACKEND_PATH. Loads nothing.
std::vector<std::string> gpu_backends(const std::string & folder);

bool backends_are_loaded();

// Makes the CPU's back end available, that of RPC, and those of `gpus`, as gpu_backends() names them; thread-safe,
// called once before any model is touched. The first call counts: what it left out stays out. In a portable build they
// are libraries in `folder` (the addon's own), and the best CPU variant for this machine is taken. Otherwise they are
// linked in and the folder does not matter. Throws error: BACKEND_NOT_FOUND when no CPU back end could be loaded.
void load_backends(const std::string & folder, const std::vector<std::string> & gpus);

// The same with all of them.
void load_backends(const std::string & folder);

}
