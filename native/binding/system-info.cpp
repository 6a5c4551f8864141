#include "binding/system-info.h"

#ifdef LLAMATUNE_ONEDNN
#include "cpu/kernels/gemm.h"
#endif
#include "backends/load.h"
#include "binding/args.h"
#include "binding/devices.h"
#include "binding/errors.h"
#include "binding/values.h"
#include "model/system.h"

namespace llamatune::binding {

namespace {

bool has_fast_bf16() {
#ifdef LLAMATUNE_ONEDNN
    return gemm_has_fast_bf16();
#else
    return false;
#endif
}

// The accelerator for matrix products, if it is built in.
Napi::Value matmul_to_js(Napi::Env env, const system_info & info) {
    Napi::Value accelerator = env.Null();
    for (const device_info & device : info.devices) {
        if (device.name == "matmul") accelerator = Napi::String::New(env, device.description);
    }
    return make_object(env, {{"accelerator", accelerator}, {"fastBf16", has_fast_bf16()}});
}

}

Napi::Value load_backends_call(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&]() -> Napi::Value {
        const std::string folder = text_argument(call, 0, "folder");
        if (call[1].IsUndefined())
            load_backends(folder);
        else
            load_backends(folder, texts_argument(call, 1, "gpus"));
        return call.Env().Undefined();
    });
}

Napi::Value system_info_call(const Napi::CallbackInfo & call) {
    const Napi::Env env = call.Env();
    return guarded(env, [&]() -> Napi::Value {
        const system_info info = describe_system();
        Napi::Array devices = Napi::Array::New(env, info.devices.size());
        for (uint32_t i = 0; i < info.devices.size(); i++) { devices.Set(i, device_to_js(env, info.devices[i])); }
        return make_object(env, {{"llamaCpp", info.llama_cpp},
                                 {"backends", make_text_array(env, info.backends)},
                                 {"devices", Napi::Value(devices)},
                                 {"physicalCores", info.physical_cores},
                                 {"matmul", matmul_to_js(env, info)}});
    });
}

}
