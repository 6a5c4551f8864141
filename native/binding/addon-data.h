#pragma once

#include "binding/node.h"

#include <memory>
#include <vector>

namespace llamatune::binding {

// The owner of a thread that must end before the process destroys its static objects.
class stoppable {
public:
    virtual ~stoppable() = default;
    virtual void abort() = 0;
    virtual void join() = 0;
};

// The state of one environment (the main thread or a worker). No JavaScript value is stored anywhere else.
struct addon_data {
    Napi::FunctionReference model_constructor;
    std::function<void()> close_logger; // empty: this environment has no logger

    // The runs whose thread may still be running.
    std::vector<std::weak_ptr<stoppable>> runs;
};

// Prepares an environment when it loads the addon.
void start_addon(Napi::Env env);

}
