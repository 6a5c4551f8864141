#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// What one environment (the main thread, a worker) keeps; there is no JavaScript state outside of it.
struct addon_data {
    Napi::FunctionReference model_constructor;
    std::function<void()>   close_logger; // empty: this environment has set none
};

// Prepares an environment that has loaded the addon.
void start_addon(Napi::Env env);

}
