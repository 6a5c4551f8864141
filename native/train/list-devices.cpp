#include "train/list-devices.h"

#include "backends/choose.h"
#include "backends/rpc.h"

#include <algorithm>

namespace llamatune {

std::vector<listed_device> list_devices(const std::vector<std::string> & rpc_servers) {
    const std::vector<ggml_backend_dev_t> remote = connect_rpc_servers(rpc_servers),
                                          chosen = choose_devices("auto", remote);
    std::vector<ggml_backend_dev_t> all;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        // an accelerator for matrix products is a part of the CPU
        if (ggml_backend_dev_type(ggml_backend_dev_get(i)) != GGML_BACKEND_DEVICE_TYPE_ACCEL)
            all.push_back(ggml_backend_dev_get(i));
    }
    all.insert(all.end(), remote.begin(), remote.end());
    std::vector<listed_device> listed;
    for (ggml_backend_dev_t device : all) {
        const bool is_cpu = ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
        const bool is_chosen = std::find(chosen.begin(), chosen.end(), device) != chosen.end();
        const std::string server = rpc_server_of(device);
        listed.push_back({describe_device(device), server.empty() ? std::nullopt : std::optional(server),
                          is_chosen || (is_cpu && chosen.empty()), probe_training(device)});
    }
    return listed;
}

}
