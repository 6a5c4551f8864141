#include "binding/system-info.h"

#include "backends/load.h"
#include "binding/args.h"
#include "binding/errors.h"
#include "binding/values.h"
#include "model/system.h"

namespace llamatune::binding {

Napi::Value load_backends_call(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&]() -> Napi::Value {
        load_backends(text_argument(call, 0, "folder"));
        return call.Env().Undefined();
    });
}

Napi::Value system_info_call(const Napi::CallbackInfo & call) {
    const Napi::Env env = call.Env();
    return guarded(env, [&]() -> Napi::Value {
        const system_info info = describe_system();
        Napi::Array devices = Napi::Array::New(env, info.devices.size());
        for (uint32_t i = 0; i < info.devices.size(); i++) {
            const device_info & device = info.devices[i];
            devices.Set(i, make_object(env, {{"name", device.name}, {"description", device.description},
                                             {"type", device.type}, {"memoryFree", device.memory_free},
                                             {"memoryTotal", device.memory_total}}));
        }
        return make_object(env, {{"llamaCpp", info.llama_cpp}, {"backends", make_text_array(env, info.backends)},
                                 {"devices", Napi::Value(devices)}, {"physicalCores", info.physical_cores}});
    });
}

}
