#pragma once

#include "binding/args.h"
#include "model/load.h"
#include "model/system.h"

namespace llamatune::binding {

// gpuBackends(folder): names of the GPU back ends that could be loaded. Loads nothing.
Napi::Value gpu_backends_call(const Napi::CallbackInfo & info);

// listDevices({ rpc }): what there is, and what it can do of a training step. A promise.
Napi::Value list_devices_call(const Napi::CallbackInfo & info);

Napi::Object device_to_js(Napi::Env env, const device_info & device);

// Where a model goes, by names that JavaScript gave: turned into devices on the run's thread, since RPC servers are
// asked.
struct placement_request {
    std::string device;
    std::vector<std::string> rpc;
    std::vector<float> tensor_split;
    std::vector<std::pair<std::string, std::string>> placement; // pattern, device

    // Throws error: RPC_UNREACHABLE, DEVICE_NOT_FOUND.
    void resolve(load_options & into) const;
};

placement_request read_placement(const args & from);

}
