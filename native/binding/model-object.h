#pragma once

#include "binding/node.h"
#include "model/load.h"

#include <memory>

namespace llamatune::binding {

// The JavaScript object of a loaded model. It shares the model with the runs that use it: the object may be disposed or
// garbage-collected during a run, and the weights are freed when the last run has ended.
class model_object : public Napi::ObjectWrap<model_object> {
public:
    static Napi::Function define(Napi::Env env);
    // Makes a JavaScript object for this model.
    static Napi::Value create(Napi::Env env, std::shared_ptr<model> loaded);

    explicit model_object(const Napi::CallbackInfo & info);

    // Throws error DISPOSED.
    const std::shared_ptr<model> & get() const;

private:
    Napi::Value devices(const Napi::CallbackInfo & call); // a run, because it queries RPC servers
    Napi::Value info(const Napi::CallbackInfo & call);
    Napi::Value tokenize(const Napi::CallbackInfo & call);
    Napi::Value token_bytes(const Napi::CallbackInfo & call);
    Napi::Value detokenize(const Napi::CallbackInfo & call);
    Napi::Value dispose(const Napi::CallbackInfo & call);

    std::shared_ptr<model> model_;
};

// The model behind a JavaScript value. Throws error ARGUMENT_INVALID, DISPOSED.
std::shared_ptr<model> shared_model(const Napi::Value & value);

Napi::Value load_model_call(const Napi::CallbackInfo & info);

}
