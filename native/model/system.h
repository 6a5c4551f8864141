#pragma once

#include "model/load.h"

#include <ggml-backend.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

struct device_info {
    std::string name;        // "CPU", "Vulkan0"
    std::string description; // the name of the hardware
    std::string type;        // "cpu", "gpu", "igpu", "accel"
    std::string backend;     // "cpu", "vulkan", "cuda", "hip", "metal", "rpc", …
    uint64_t memory_free;
    uint64_t memory_total;
    bool fast_bf16; // a GPU that multiplies in bfloat16 with sums in F32 if it is asked to
};

template <class V>
void fields(V & v, device_info & d) {
    v("name", d.name);
    v("description", d.description);
    v("type", d.type);
    v("backend", d.backend);
    v("memoryFree", d.memory_free);
    v("memoryTotal", d.memory_total);
    v("fastBf16", d.fast_bf16);
}

struct cpu_accelerator_info {
    std::string description; // "CPU kernels with oneDNN 3.2.0"
    bool fast_bf16;          // the CPU has bfloat16 units
};

template <class V>
void fields(V & v, cpu_accelerator_info & a) {
    v("description", a.description);
    v("fastBf16", a.fast_bf16);
}

// The back ends and devices of this machine; the back ends must have been loaded (backends/load.h).
struct system_info {
    std::string llama_cpp; // its version
    std::vector<std::string> backends;
    std::vector<device_info> devices;
    int32_t physical_cores; // usable by this process
    std::optional<cpu_accelerator_info> cpu_accelerator;
    std::vector<std::string> weight_types; // that models can be converted to
};

template <class V>
void fields(V & v, system_info & s) {
    v("llamaCpp", s.llama_cpp);
    v("backends", s.backends);
    v("devices", s.devices);
    v("physicalCores", s.physical_cores);
    v("cpuAccelerator", s.cpu_accelerator);
    v("weightTypes", s.weight_types);
}

system_info describe_system();
device_info describe_device(ggml_backend_dev_t device);

// Lists the devices that hold layers of the model, except the CPU.
std::vector<device_info> list_model_devices(const model & m);

}
