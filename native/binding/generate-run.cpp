#include "binding/generate-run.h"

#include "binding/args.h"
#include "binding/errors.h"
#include "binding/model-object.h"
#include "binding/run.h"
#include "binding/values.h"
#include "generate/generate.h"

namespace llamatune::binding {

namespace {

generate_options read_generate_options(const args & from) {
    generate_options to;
    to.prompt = from.int32s("prompt");
    to.max_tokens = from.int32("maxTokens");
    to.context_length = from.int32("contextLength");
    to.batch_size = from.int32("batchSize");
    to.n_threads = from.int32("threads");
    to.sampling.temperature = float(from.number("temperature"));
    to.sampling.top_k = from.int32("topK");
    to.sampling.top_p = float(from.number("topP"));
    to.sampling.min_p = float(from.number("minP"));
    to.sampling.repeat_penalty = float(from.number("repeatPenalty"));
    to.sampling.repeat_last_n = from.int32("repeatLastN");
    to.sampling.seed = from.whole("seed");
    to.sampling.grammar = from.text("grammar");
    to.sampling.ignore_eos = from.flag("ignoreEos");
    to.stop = from.texts("stop");
    for (const args & adapter : from.objects("adapters")) {
        to.adapters.push_back({adapter.text("path"), float(adapter.number("scale"))});
    }
    return to;
}

const char * reason_text(finish_reason reason) {
    switch (reason) {
    case finish_reason::eos: return "eos";
    case finish_reason::stop: return "stop";
    case finish_reason::length: return "length";
    }
    return "length";
}

Napi::Value result_to_js(Napi::Env env, const generate_result & result) {
    return make_object(env, {
                                {"text", result.text},
                                {"tokens", make_int32_array(env, result.tokens)},
                                {"promptTokens", result.prompt_tokens},
                                {"generatedTokens", result.generated_tokens},
                                {"finishReason", reason_text(result.reason)},
                                {"timeToFirstTokenMs", result.time_to_first_token_ms},
                                {"promptMs", result.prompt_ms},
                                {"generationMs", result.generation_ms},
                            });
}

}

Napi::Value generate_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        auto work = [base = shared_model(info[0]),
                     options = read_generate_options(args(info[1], "options"))](run_context & context) -> js_maker {
            const token_sink sink = [&context](int32_t token, const std::string & text) {
                context.emit([token, text](Napi::Env env) -> Napi::Value {
                    return make_object(env, {{"type", "token"}, {"token", token}, {"text", text}});
                });
            };
            const generate_result result = generate(base, options, sink, context.stop());
            return [result](Napi::Env env) { return result_to_js(env, result); };
        };
        return start_run(info.Env(), callback_argument(info, 2, "onEvents"), std::move(work));
    });
}

}
