#pragma once

#include "model/load.h"

#include <string>
#include <vector>

namespace llamatune {

// load_options from JavaScript, with devices by name.
struct load_request {
    struct rule {
        std::string pattern, device;
    };

    std::string model; // path of the GGUF file
    int32_t gpu_layers = 0;
    std::string device;
    std::vector<std::string> rpc;
    std::vector<float> tensor_split;
    std::vector<rule> placement;
    bool use_mmap = true;
    bool repack = false;
    bool vocabulary_only = false;
};

template <class V>
void fields(V & v, load_request::rule & r) {
    v("pattern", r.pattern);
    v("device", r.device);
}

template <class V>
void fields(V & v, load_request & r) {
    v("model", r.model);
    v("gpuLayers", r.gpu_layers);
    v("device", r.device);
    v("rpc", r.rpc);
    v("tensorSplit", r.tensor_split);
    v("placement", r.placement);
    v("useMmap", r.use_mmap);
    v("repack", r.repack);
    v("vocabularyOnly", r.vocabulary_only);
}

// Finds the devices. It connects to RPC servers, which may take a while. Throws error RPC_UNREACHABLE,
// DEVICE_NOT_FOUND.
load_options resolve(const load_request & request);

}
