#pragma once

#include "model/load.h"

#include <ggml-backend.h>

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

struct device_info {
    std::string name;        // "CPU", "Vulkan0"
    std::string description; // the hardware's own name
    std::string type;        // "cpu", "gpu", "igpu", "accel"
    std::string backend;     // "cpu", "vulkan", "cuda", "hip", "metal", "rpc", …
    uint64_t memory_free;
    uint64_t memory_total;
};

// What llama.cpp can use on this machine; the back ends must have been loaded (backends/load.h).
struct system_info {
    std::string llama_cpp; // its version
    std::vector<std::string> backends;
    std::vector<device_info> devices;
    int32_t physical_cores; // usable by this process
};

system_info describe_system();
device_info describe_device(ggml_backend_dev_t device);

// Those that hold layers of the model, the CPU left out.
std::vector<device_info> list_model_devices(const model & m);

}
