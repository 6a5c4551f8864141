#include "binding/addon-data.h"

#include "binding/model-object.h"
#include "core/assertion.h"
#include "core/log.h"

namespace llamatune::binding {

namespace {

// process.exit() skips the environment's cleanup hooks: runs would continue while static objects are destroyed.
void stop_runs(const Napi::CallbackInfo & info) {
    auto & runs = info.Env().GetInstanceData<addon_data>()->runs;
    for (const auto & run : runs)
        if (const auto alive = run.lock()) alive->abort();
    for (const auto & run : runs)
        if (const auto alive = run.lock()) alive->join();
    runs.clear();
}

void stop_runs_at_exit(Napi::Env env) {
    const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
    process.Get("on").As<Napi::Function>().Call(
        process, {Napi::String::New(env, "exit"), Napi::Function::New(env, stop_runs, "stopLlamatuneRuns")});
}

}

void start_addon(Napi::Env env) {
    // These come before any other call of llama.cpp, which must not print or end the process by a failed assertion.
    install_log();
    install_assertion_handler();
    auto * data = new addon_data();
    data->model_constructor = Napi::Persistent(model_object::define(env));
    env.SetInstanceData(data); // the environment deletes it
    stop_runs_at_exit(env);
}

}
