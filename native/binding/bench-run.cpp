#include "binding/bench-run.h"

#include "bench/measure.h"
#include "bench/peak.h"
#include "binding/args.h"
#include "binding/errors.h"
#include "binding/model-object.h"
#include "binding/run.h"
#include "binding/train-run.h"
#include "binding/values.h"
#include "core/error.h"
#include "model/info.h"

namespace llamatune::binding {

namespace {

const char * kind_text(bench_kind kind) {
    switch (kind) {
    case bench_kind::prompt: return "prompt";
    case bench_kind::generation: return "generation";
    case bench_kind::training: return "training";
    }
    return "";
}

Napi::Value sample_to_js(Napi::Env env, const bench_sample & sample) {
    return make_object(env, {
                                {"type", "sample"},
                                {"kind", kind_text(sample.kind)},
                                {"repetition", sample.repetition},
                                {"warmup", sample.warmup},
                                {"tokens", sample.tokens},
                                {"ms", sample.ms},
                            });
}

bench_options read_bench_options(const args & from) {
    bench_options to;
    to.prompt_tokens = from.int32("promptTokens");
    to.generated_tokens = from.int32("generatedTokens");
    to.warmup = from.int32("warmup");
    to.repetitions = from.int32("repetitions");
    to.n_threads = from.int32("threads");
    to.train_steps = from.int32("trainSteps");
    if (from.has("training")) to.training = read_train_options(from.object("training"));
    return to;
}

peak_library read_library(const std::string & library) {
    if (library == "fastest") return peak_library::fastest;
    if (library == "ggml") return peak_library::ggml;
    throw error("ARGUMENT_INVALID", "expected 'fastest' or 'ggml' for library but received '" + library + "'");
}

peak_options read_peak_options(const args & from) {
    return {read_precision(from.text("precision")), from.int32("threads"), read_library(from.text("library"))};
}

Napi::Value peak_to_js(Napi::Env env, const peak_speed & peak) {
    Napi::Array shapes = Napi::Array::New(env, peak.shapes.size());
    for (uint32_t i = 0; i < peak.shapes.size(); i++) {
        const product_speed & s = peak.shapes[i];
        shapes.Set(i, make_object(env, {
                                           {"tokens", s.tokens},
                                           {"columns", s.columns},
                                           {"rows", s.rows},
                                           {"repetitions", s.repetitions},
                                           {"bestGflops", s.best_gflops},
                                           {"medianGflops", s.median_gflops},
                                       }));
    }
    return make_object(env, {
                                {"library", peak.library},
                                {"precision", peak.precision == train_precision::bf16 ? "bf16" : "f32"},
                                {"threads", peak.n_threads},
                                {"bestGflops", peak.best_gflops},
                                {"medianGflops", peak.median_gflops},
                                {"shapes", Napi::Value(shapes)},
                            });
}

}

Napi::Value bench_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        auto work = [base = shared_model(info[0]), options = read_bench_options(args(info[1], "options"))](
                        run_context & context) mutable -> js_maker {
            options.vocabulary_size = uint64_t(describe(*base).vocabulary_size);
            std::vector<bench_sample> samples;
            measure(
                base, options,
                [&](const bench_sample & sample) {
                    samples.push_back(sample);
                    context.emit([sample](Napi::Env env) { return sample_to_js(env, sample); });
                },
                context.stop());
            return [samples](Napi::Env env) -> Napi::Value {
                Napi::Array array = Napi::Array::New(env, samples.size());
                for (uint32_t i = 0; i < samples.size(); i++) array.Set(i, sample_to_js(env, samples[i]));
                return make_object(env, {{"samples", Napi::Value(array)}});
            };
        };
        return start_run(info.Env(), callback_argument(info, 2, "onEvents"), std::move(work));
    });
}

Napi::Value measure_peak_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        auto work = [options = read_peak_options(args(info[0], "options"))](run_context & context) -> js_maker {
            const peak_speed peak = measure_peak(options, context.stop());
            return [peak](Napi::Env env) { return peak_to_js(env, peak); };
        };
        return start_run(info.Env(), Napi::Function(), std::move(work));
    });
}

}
