#include "binding/devices.h"

#include "backends/choose.h"
#include "backends/load.h"
#include "backends/rpc.h"
#include "binding/errors.h"
#include "binding/run.h"
#include "binding/values.h"
#include "train/capabilities.h"

#include <algorithm>

namespace llamatune::binding {

namespace {

struct listed_device {
    device_info about;
    std::string server;
    bool automatic; // 'auto' takes it
    std::optional<train_capabilities> trains;
};

std::vector<listed_device> list_devices(const std::vector<std::string> & servers) {
    const std::vector<ggml_backend_dev_t> remote = connect_rpc_servers(servers),
                                          chosen = choose_devices("auto", remote);
    std::vector<ggml_backend_dev_t> all;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        // an accelerator of products is a part of the CPU
        if (ggml_backend_dev_type(ggml_backend_dev_get(i)) != GGML_BACKEND_DEVICE_TYPE_ACCEL)
            all.push_back(ggml_backend_dev_get(i));
    }
    all.insert(all.end(), remote.begin(), remote.end());
    std::vector<listed_device> listed;
    for (ggml_backend_dev_t device : all) {
        const bool is_cpu = ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
        const bool is_chosen = std::find(chosen.begin(), chosen.end(), device) != chosen.end();
        listed.push_back({describe_device(device), rpc_server_of(device), is_chosen || (is_cpu && chosen.empty()),
                          probe_training(device)});
    }
    return listed;
}

Napi::Value to_js(Napi::Env env, const listed_device & device) {
    Napi::Object object = device_to_js(env, device.about);
    object.Set("server", device.server.empty() ? env.Null() : Napi::Value(Napi::String::New(env, device.server)));
    object.Set("automatic", device.automatic);
    object.Set("training", device.trains
                               ? Napi::Value(make_object(
                                     env,
                                     {
                                         {"missing", make_text_array(env, device.trains->missing)},
                                         {"weightTypes", make_text_array(env, device.trains->weight_types)},
                                         {"otherWeightTypes", make_text_array(env, device.trains->other_weight_types)},
                                     }))
                               : env.Null());
    return object;
}

}

Napi::Object device_to_js(Napi::Env env, const device_info & device) {
    return make_object(env, {{"name", device.name},
                             {"description", device.description},
                             {"type", device.type},
                             {"backend", device.backend},
                             {"memoryFree", device.memory_free},
                             {"memoryTotal", device.memory_total}});
}

Napi::Value gpu_backends_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        return make_text_array(info.Env(), backends_are_loaded() ? std::vector<std::string>()
                                                                 : gpu_backends(text_argument(info, 0, "folder")));
    });
}

Napi::Value list_devices_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        return start_task(info.Env(), [servers = args(info[0], "options").texts("rpc")](run_context &) -> js_maker {
            const std::vector<listed_device> devices = list_devices(servers);
            return [devices](Napi::Env env) -> Napi::Value {
                Napi::Array array = Napi::Array::New(env, devices.size());
                for (uint32_t i = 0; i < devices.size(); i++) array.Set(i, to_js(env, devices[i]));
                return array;
            };
        });
    });
}

placement_request read_placement(const args & from) {
    placement_request to;
    to.device = from.text("device");
    to.rpc = from.texts("rpc");
    to.tensor_split = from.floats("tensorSplit");
    for (const args & rule : from.objects("placement"))
        to.placement.emplace_back(rule.text("pattern"), rule.text("device"));
    return to;
}

void placement_request::resolve(load_options & into) const {
    const std::vector<ggml_backend_dev_t> remote = connect_rpc_servers(rpc);
    into.devices = choose_devices(device, remote);
    into.tensor_split = tensor_split;
    for (const auto & [pattern, name] : placement) into.placement.push_back({pattern, find_device(name, remote)});
}

}
