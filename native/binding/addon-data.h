#pragma once

#include "binding/node.h"

#include <memory>
#include <vector>

namespace llamatune::binding {

// Something with a thread that must have ended before the process tears its static objects down.
class stoppable {
public:
    virtual ~stoppable() = default;
    virtual void abort() = 0;
    virtual void join() = 0;
};

// What one environment (the main thread, a worker) keeps; there is no JavaScript state outside of it.
struct addon_data {
    Napi::FunctionReference model_constructor;
    std::function<void()> close_logger; // empty: this environment has set none

    // Every run that may still have a thread.
    std::vector<std::weak_ptr<stoppable>> runs;
};

// Prepares an environment that has loaded the addon.
void start_addon(Napi::Env env);

}
