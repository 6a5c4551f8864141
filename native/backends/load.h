#pragma once

#include <string>
#include <vector>

namespace llamatune {

// The GPU back ends that are linked in or, in a portable build, have a library in `folder`: "vulkan", "cuda", "hip",
// "metal". A portable build also returns the path in the environment variable GGML_BACKEND_PATH. Loads nothing.
std::vector<std::string> gpu_backends(const std::string & folder);

bool backends_are_loaded();

// Loads the CPU back end, the RPC back end and `gpus`, which are results of gpu_backends(). Thread-safe; must be called
// before a model is loaded. Only the first call has an effect. A portable build loads libraries from `folder` (the
// addon's), with the best CPU variant for this machine; otherwise back ends are linked in and `folder` is not read.
// Throws error: BACKEND_NOT_FOUND if the CPU back end cannot be loaded.
void load_backends(const std::string & folder, const std::vector<std::string> & gpus);

// The same with all GPU back ends.
void load_backends(const std::string & folder);

}
