#pragma once

#include "binding/node.h"

#include <string>

namespace llamatune::binding {

// An exception as plain values, so that it can travel from a run's thread to JavaScript.
struct failure {
    std::string code;
    std::string message;
    std::string hint;
};

// The exception that is being handled. Call it only inside a catch block.
failure current_failure();

// A JavaScript Error with `code` and `hint`.
Napi::Error to_js(Napi::Env env, const failure & failed);

// Runs native code on the JavaScript thread: whatever it throws, a failed assertion included, becomes a JavaScript
// Error.
template <typename F>
auto guarded(Napi::Env env, F && call) -> decltype(call()) {
    try {
        return call();
    } catch (const Napi::Error &) { throw; } catch (...) {
        throw to_js(env, current_failure());
    }
}

}
