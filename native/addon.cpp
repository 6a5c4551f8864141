// The addon's export list; src/contract/addon.ts is its type.
#include "binding/addon-data.h"
#include "binding/calls.h"
#include "binding/file-lock.h"
#include "binding/logger.h"
#include "binding/model-object.h"

using namespace llamatune::binding;

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
    start_addon(env);
    exports.Set("setLogger", Napi::Function::New<set_logger_call>(env, "setLogger"));
    exports.Set("loadModel", Napi::Function::New<load_model_call>(env, "loadModel"));
    exports.Set("lockFile", Napi::Function::New<lock_file_call>(env, "lockFile"));
    export_calls(env, exports);
    exports.Set("buildStamp", Napi::String::New(env, LLAMATUNE_BUILD_STAMP));
    return exports;
}

NODE_API_MODULE(llamatune, initialise)
