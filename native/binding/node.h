#pragma once

// The only file that includes node-addon-api, with the settings that all files of the binding must share.
#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#ifndef NAPI_CPP_EXCEPTIONS
#define NAPI_CPP_EXCEPTIONS
#endif
// A worker that is being terminated cannot throw, which must not end the process.
#ifndef NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#endif
#include <napi.h>

#include <functional>

namespace llamatune::binding {

// Makes a JavaScript value from the plain value that it holds. It is created on a run's thread and called on the
// JavaScript thread.
using js_maker = std::function<Napi::Value(Napi::Env)>;

}
