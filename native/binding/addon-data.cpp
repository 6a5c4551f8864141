#include "binding/addon-data.h"

#include "binding/model-object.h"
#include "core/log.h"

namespace llamatune::binding {

void start_addon(Napi::Env env) {
    install_log(); // before anything of llama.cpp runs: nothing is printed unasked
    auto * data = new addon_data();
    data->model_constructor = Napi::Persistent(model_object::define(env));
    env.SetInstanceData(data); // freed with the environment
}

}
