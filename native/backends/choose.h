#pragma once

#include <ggml-backend.h>

#include <string>
#include <vector>

namespace llamatune {

// The GPUs of this machine in ggml's order; an integrated one only if there is no other, as in llama.cpp.
std::vector<ggml_backend_dev_t> local_gpus();

// The devices for the layers. `wanted`: "auto" (the devices of RPC servers, then the GPUs), "cpu" (no device), or a
// comma-separated list of back ends and device names ("Vulkan0"; for RPC servers also "host:port"). `remote`: the
// devices of RPC servers. Throws error: DEVICE_NOT_FOUND, which lists the available devices.
std::vector<ggml_backend_dev_t> choose_devices(const std::string & wanted,
                                               const std::vector<ggml_backend_dev_t> & remote);

// One device by its name or "cpu"; for the name of a back end, its first device. Throws error: DEVICE_NOT_FOUND.
ggml_backend_dev_t find_device(const std::string & name, const std::vector<ggml_backend_dev_t> & remote);

}
