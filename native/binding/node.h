#pragma once

// The one place that includes node-addon-api, with the settings that every file of the binding must share.
#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#ifndef NAPI_CPP_EXCEPTIONS
#define NAPI_CPP_EXCEPTIONS
#endif
// A worker that is being terminated cannot throw; that must not end the whole process.
#ifndef NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#endif
#include <napi.h>

#include <functional>

namespace llamatune::binding {

// Makes a JavaScript value out of a plain one it holds. Created on a run's thread, called on the JavaScript thread.
using js_maker = std::function<Napi::Value(Napi::Env)>;

}
