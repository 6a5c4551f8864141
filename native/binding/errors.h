#pragma once

#include "binding/node.h"
#include "core/error.h"

#include <string>
#include <vector>

namespace llamatune::binding {

// An exception as plain values, so that it can travel from a run's thread to JavaScript.
struct failure {
    std::string code;
    std::string message;
    std::string hint;
    std::vector<problem> problems;
};

// Converts the exception that is being handled. Call it only inside a catch block.
failure current_failure();

// Makes a JavaScript Error with `code`, `hint` and `problems`.
Napi::Error to_js(Napi::Env env, const failure & failed);

// Runs native code on the JavaScript thread. Any exception it throws, failed assertions included, becomes a JavaScript
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
