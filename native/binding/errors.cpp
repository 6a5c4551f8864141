#include "binding/errors.h"

#include <new>

namespace llamatune::binding {

failure current_failure() {
    try {
        throw;
    } catch (const error & e) { return {e.code(), e.what(), e.hint(), e.problems()}; } catch (const std::bad_alloc &) {
        return {"OUT_OF_MEMORY",
                "out of memory: an allocation failed",
                "use a smaller model, sequence length or micro-batch size",
                {}};
    } catch (const std::exception & e) {
        return {"NATIVE_ERROR", e.what(), "please report it with the steps that led to it", {}};
    } catch (...) {
        return {
            "NATIVE_ERROR", "an unknown exception was thrown", "please report it with the steps that led to it", {}};
    }
}

Napi::Error to_js(Napi::Env env, const failure & failed) {
    Napi::Error e = Napi::Error::New(env, failed.message);
    e.Set("code", Napi::String::New(env, failed.code));
    e.Set("hint", Napi::String::New(env, failed.hint));
    Napi::Array problems = Napi::Array::New(env, failed.problems.size());
    for (uint32_t i = 0; i < failed.problems.size(); i++) {
        Napi::Object one = Napi::Object::New(env);
        one.Set("path", Napi::String::New(env, failed.problems[i].path));
        one.Set("message", Napi::String::New(env, failed.problems[i].message));
        problems.Set(i, one);
    }
    e.Set("problems", problems);
    return e;
}

}
