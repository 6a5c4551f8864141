#pragma once

#include <ggml-backend.h>

#include <string>
#include <vector>

namespace llamatune {

// GPUs of this machine, in ggml's order; integrated ones only where there is no other, as llama.cpp has it.
std::vector<ggml_backend_dev_t> local_gpus();

// Where layers go. `wanted`: "auto" (the RPC servers' devices, then the GPUs), "cpu" (none), a back end, or names of
// devices ("Vulkan0"; of RPC servers "host:port" too), separated by commas. `remote`: the devices of RPC servers.
// Throws error: DEVICE_NOT_FOUND, naming the devices there are.
std::vector<ggml_backend_dev_t> choose_devices(const std::string & wanted,
                                               const std::vector<ggml_backend_dev_t> & remote);

// One device by its name, "cpu" included; of a back end its first. Throws error DEVICE_NOT_FOUND.
ggml_backend_dev_t find_device(const std::string & name, const std::vector<ggml_backend_dev_t> & remote);

}
