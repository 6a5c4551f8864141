#include "model/load-request.h"

#include "backends/choose.h"
#include "backends/rpc.h"

namespace llamatune {

load_options resolve(const load_request & request) {
    const std::vector<ggml_backend_dev_t> remote = connect_rpc_servers(request.rpc);
    load_options options;
    options.path = request.model;
    options.gpu_layers = request.gpu_layers;
    options.devices = choose_devices(request.device, remote);
    options.tensor_split = request.tensor_split;
    for (const load_request::rule & rule : request.placement)
        options.placement.push_back({rule.pattern, find_device(rule.device, remote)});
    options.use_mmap = request.use_mmap;
    options.repack = request.repack;
    options.vocabulary_only = request.vocabulary_only;
    return options;
}

}
