#include "binding/model-object.h"

#include "backends/rpc.h"
#include "binding/addon-data.h"
#include "binding/errors.h"
#include "binding/read.h"
#include "binding/run.h"
#include "binding/write.h"
#include "core/error.h"
#include "model/info.h"
#include "model/load-request.h"
#include "model/system.h"
#include "model/tokenizer.h"

#include <algorithm>

namespace llamatune::binding {

namespace {

// Distinguishes a model_object from other objects, whatever their prototype.
constexpr napi_type_tag model_tag = {0x7c1d3f0a5be24e6fULL, 0x9a42c8d1e07b3356ULL};

}

Napi::Function model_object::define(Napi::Env env) {
    return DefineClass(env, "NativeModel",
                       {
                           InstanceMethod<&model_object::info>("info"),
                           InstanceMethod<&model_object::devices>("devices"),
                           InstanceMethod<&model_object::tokenize>("tokenize"),
                           InstanceMethod<&model_object::token_bytes>("tokenBytes"),
                           InstanceMethod<&model_object::detokenize>("detokenize"),
                           InstanceMethod<&model_object::dispose>("dispose"),
                       });
}

Napi::Value model_object::create(Napi::Env env, std::shared_ptr<model> loaded) {
    const auto external = Napi::External<std::shared_ptr<model>>::New(env, &loaded);
    return env.GetInstanceData<addon_data>()->model_constructor.New({external});
}

model_object::model_object(const Napi::CallbackInfo & info) : Napi::ObjectWrap<model_object>(info) {
    if (!info[0].IsExternal()) {
        throw to_js(info.Env(), {"ARGUMENT_INVALID", "only loadModel() can make a model", "call loadModel()"});
    }
    model_ = std::move(*info[0].As<Napi::External<std::shared_ptr<model>>>().Data());
    info.This().As<Napi::Object>().TypeTag(&model_tag);
}

const std::shared_ptr<model> & model_object::get() const {
    if (!model_) throw error("DISPOSED", "the model was disposed", "load the model again");
    return model_;
}

Napi::Value model_object::info(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&] { return write(call.Env(), describe(*get())); });
}

Napi::Value model_object::devices(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&]() -> Napi::Value {
        return start_run(call.Env(), {}, [shared = get()](run_context &) {
            const rpc_timeout_scope timeout(rpc_answer_seconds);
            return written(list_model_devices(*shared));
        });
    });
}

Napi::Value model_object::tokenize(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&] {
        return write(call.Env(), llamatune::tokenize(*get(), argument<std::string>(call, 0, "text"),
                                                     argument<bool>(call, 1, "addSpecial"),
                                                     argument<bool>(call, 2, "parseSpecial")));
    });
}

Napi::Value model_object::token_bytes(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&]() -> Napi::Value {
        const std::string bytes =
            llamatune::token_bytes(*get(), argument<int32_t>(call, 0, "token"), argument<bool>(call, 1, "special"));
        Napi::Uint8Array array = Napi::Uint8Array::New(call.Env(), bytes.size());
        std::copy(bytes.begin(), bytes.end(), array.Data());
        return array;
    });
}

Napi::Value model_object::detokenize(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&] {
        return write(call.Env(), llamatune::detokenize(*get(), argument<std::vector<int32_t>>(call, 0, "tokens"),
                                                       argument<bool>(call, 1, "special")));
    });
}

// Frees the model on a separate thread, since freeing gigabytes takes a while. Disposing twice has no effect.
Napi::Value model_object::dispose(const Napi::CallbackInfo & call) {
    return guarded(call.Env(), [&]() -> Napi::Value {
        return start_task(call.Env(), [last = std::move(model_)](run_context &) mutable -> js_maker {
            last.reset();
            return {};
        });
    });
}

std::shared_ptr<model> shared_model(const Napi::Value & value) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&model_tag)) {
        throw error("ARGUMENT_INVALID", "expected a model that loadModel returned but received something else");
    }
    return model_object::Unwrap(value.As<Napi::Object>())->get();
}

Napi::Value load_model_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        auto work = [request = options_argument<load_request>(info, 0)](run_context & context) -> js_maker {
            load_options options = resolve(request);
            int last_percent = -1;
            options.progress = [&](float fraction) {
                const int percent = int(fraction * 100);
                if (percent != last_percent) {
                    last_percent = percent;
                    context.emit(written(fraction));
                }
                return !context.stop();
            };
            // llama.cpp reports progress only while it reads weights: check for an abort before and after, too.
            std::shared_ptr<model> loaded = model::load(options);
            if (context.stop()) throw error("ABORTED", "loading '" + options.path + "' was aborted");
            return [loaded](Napi::Env env) { return model_object::create(env, loaded); };
        };
        return start_run(info.Env(), argument<Napi::Function>(info, 1, "onProgress"), std::move(work));
    });
}

}
