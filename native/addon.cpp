// The addon's export list; src/native/addon-types.ts is its type. What an export does is in native/binding/.
#include "binding/addon-data.h"
#include "binding/bench-run.h"
#include "binding/devices.h"
#include "binding/generate-run.h"
#include "binding/logger.h"
#include "binding/model-files.h"
#include "binding/model-object.h"
#include "binding/system-info.h"
#include "binding/train-run.h"

using namespace llamatune::binding;

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
    start_addon(env);
    exports.Set("gpuBackends", Napi::Function::New<gpu_backends_call>(env, "gpuBackends"));
    exports.Set("listDevices", Napi::Function::New<list_devices_call>(env, "listDevices"));
    exports.Set("loadBackends", Napi::Function::New<load_backends_call>(env, "loadBackends"));
    exports.Set("systemInfo", Napi::Function::New<system_info_call>(env, "systemInfo"));
    exports.Set("setLogger", Napi::Function::New<set_logger_call>(env, "setLogger"));
    exports.Set("loadModel", Napi::Function::New<load_model_call>(env, "loadModel"));
    exports.Set("createModel", Napi::Function::New<create_model_call>(env, "createModel"));
    exports.Set("quantizeModel", Napi::Function::New<quantize_model_call>(env, "quantizeModel"));
    exports.Set("planTraining", Napi::Function::New<plan_training_call>(env, "planTraining"));
    exports.Set("estimateMemory", Napi::Function::New<estimate_memory_call>(env, "estimateMemory"));
    exports.Set("train", Napi::Function::New<train_call>(env, "train"));
    exports.Set("generate", Napi::Function::New<generate_call>(env, "generate"));
    exports.Set("bench", Napi::Function::New<bench_call>(env, "bench"));
    exports.Set("measurePeak", Napi::Function::New<measure_peak_call>(env, "measurePeak"));
    return exports;
}

NODE_API_MODULE(llamatune, initialise)
