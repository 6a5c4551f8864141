#include "binding/calls.h"

#include "adapter/adapter-info.h"
#include "adapter/adapter-values.h"
#include "backends/load.h"
#include "bench/measure.h"
#include "bench/peak.h"
#include "binding/errors.h"
#include "binding/field-names.h"
#include "binding/model-object.h"
#include "binding/read.h"
#include "binding/run.h"
#include "binding/write.h"
#include "check/test-device.h"
#include "data/computed-tokens.h"
#include "embed/embed.h"
#include "generate/generate.h"
#include "model-tools/create.h"
#include "model-tools/merge.h"
#include "model-tools/quantize.h"
#include "model/info.h"
#include "score/score.h"
#include "train/decision-gate.h"
#include "train/list-devices.h"
#include "train/run.h"

namespace llamatune::binding {

namespace {

using call_info = Napi::CallbackInfo;

// Sends a run's events to JavaScript, each as an object made from its fields.
auto emitting(run_context & context) {
    return [&context](const auto & event) { context.emit(written(event)); };
}

// --- the machine ---

Napi::Value gpu_backends_call(const call_info & info) {
    const std::string folder = argument<std::string>(info, 0, "folder");
    return write(info.Env(), backends_are_loaded() ? std::vector<std::string>() : gpu_backends(folder));
}

Napi::Value load_backends_call(const call_info & info) {
    const std::string folder = argument<std::string>(info, 0, "folder");
    if (const auto gpus = argument<std::optional<std::vector<std::string>>>(info, 1, "gpus"))
        load_backends(folder, *gpus);
    else
        load_backends(folder);
    return info.Env().Undefined();
}

Napi::Value system_info_call(const call_info & info) { return write(info.Env(), describe_system()); }

Napi::Value list_devices_call(const call_info & info) {
    return start_task(info.Env(), [request = options_argument<devices_request>(info, 0)](run_context &) {
        return written(list_devices(request.rpc));
    });
}

Napi::Value measure_peak_call(const call_info & info) {
    return start_run(info.Env(), {}, [options = options_argument<peak_options>(info, 0)](run_context & context) {
        return written(measure_peak(options, context.stop()));
    });
}

Napi::Value test_device_call(const call_info & info) {
    auto work = [options = options_argument<device_test_options>(info, 0)](run_context & context) -> js_maker {
        test_device(options, emitting(context), context.stop());
        return {};
    };
    return start_run(info.Env(), argument<Napi::Function>(info, 1, "onEvents"), std::move(work));
}

// --- model files ---

Napi::Value create_model_call(const call_info & info) {
    return start_task(info.Env(),
                      [options = options_argument<create_options>(info, 0)](run_context & context) -> js_maker {
                          create_model(options, &context.stop());
                          return {};
                      });
}

Napi::Value quantize_model_call(const call_info & info) {
    return start_task(info.Env(), [options = options_argument<quantize_options>(info, 0)](run_context &) -> js_maker {
        quantize_model(options);
        return {};
    });
}

Napi::Value describe_adapter_call(const call_info & info) {
    return start_task(info.Env(), [path = argument<std::string>(info, 0, "path")](run_context &) {
        return written(describe_adapter(path));
    });
}

Napi::Value read_adapter_call(const call_info & info) {
    return start_task(info.Env(), [base = shared_model(info[0]), path = argument<std::string>(info, 1, "path")](
                                      run_context &) { return written(read_adapter_values(path, base)); });
}

Napi::Value write_adapter_call(const call_info & info) {
    return start_task(info.Env(),
                      [base = shared_model(info[0]), path = argument<std::string>(info, 1, "path"),
                       values = argument<adapter_values>(info, 2, "values")](run_context &) -> js_maker {
                          write_adapter_values(path, values, base);
                          return {};
                      });
}

Napi::Value merge_adapter_call(const call_info & info) {
    auto work = [base = shared_model(info[0]),
                 options = options_argument<merge_options>(info, 1)](run_context & context) {
        return written(merge_adapter(base, options, emitting(context), context.stop()));
    };
    return start_run(info.Env(), argument<Napi::Function>(info, 2, "onEvents"), std::move(work));
}

// --- training, generation and benchmarks: (model, options, onEvents) ---

Napi::Value computed_tokens_call(const call_info & info) {
    const auto options = options_argument<layout_request>(info, 1);
    return write(info.Env(), computed_tokens(options, argument<std::vector<int32_t>>(info, 0, "lengths")));
}

Napi::Value plan_training_call(const call_info & info) {
    return write(info.Env(), plan_training(options_argument<train_options>(info, 0)));
}

Napi::Value estimate_memory_call(const call_info & info) {
    return start_task(info.Env(), [base = shared_model(info[0]), options = options_argument<train_options>(info, 1)](
                                      run_context &) { return written(estimate_memory(base, options)); });
}

// The run also has pause(), continue() and, for adaptive training, decide(decision).
Napi::Value train_call(const call_info & info) {
    const auto gate = std::make_shared<pause_gate>();
    const auto decisions = std::make_shared<decision_gate>();
    auto work = [base = shared_model(info[0]), options = options_argument<train_options>(info, 1), gate,
                 decisions](run_context & context) {
        const auto decide = [&](const decision_request & request) {
            context.emit(written(request));
            return decisions->wait(context.stop());
        };
        return written(run_training(base, options, emitting(context), context.stop(), gate.get(), decide));
    };
    Napi::Object run = start_run(info.Env(), argument<Napi::Function>(info, 2, "onEvents"), std::move(work));
    run.Set("pause", Napi::Function::New(info.Env(), [gate](const call_info &) { gate->close(); }));
    run.Set("continue", Napi::Function::New(info.Env(), [gate](const call_info &) { gate->open(); }));
    run.Set("decide", Napi::Function::New(info.Env(), [decisions](const call_info & given) {
                guarded(given.Env(), [&] { decisions->answer(options_argument<step_decision>(given, 0)); });
            }));
    return run;
}

// The run also has add(prompt), cancel(promptIndex, sampleIndex) and close().
Napi::Value generate_call(const call_info & info) {
    const auto prompts = std::make_shared<prompt_queue>();
    auto work = [base = shared_model(info[0]), options = options_argument<generate_options>(info, 1),
                 prompts](run_context & context) {
        return written(generate(base, options, *prompts, emitting(context), context.stop()));
    };
    Napi::Object run = start_run(info.Env(), argument<Napi::Function>(info, 2, "onEvents"), std::move(work));
    const auto set = [&](const char * name, void (*call)(prompt_queue &, const call_info &)) {
        run.Set(name, Napi::Function::New(info.Env(), [prompts, call](const call_info & given) {
                    guarded(given.Env(), [&] { call(*prompts, given); });
                }));
    };
    set("add", [](prompt_queue & to, const call_info & given) { to.add(argument<prompt>(given, 0, "prompt")); });
    set("cancel", [](prompt_queue & to, const call_info & given) {
        to.cancel({argument<int64_t>(given, 0, "promptIndex"), argument<int32_t>(given, 1, "sampleIndex")});
    });
    set("close", [](prompt_queue & to, const call_info &) { to.close(); });
    return run;
}

Napi::Value score_call(const call_info & info) {
    auto work = [base = shared_model(info[0]), options = options_argument<score_options>(info, 1)](
                    run_context & context) { return written(score(base, options, emitting(context), context.stop())); };
    return start_run(info.Env(), argument<Napi::Function>(info, 2, "onEvents"), std::move(work));
}

Napi::Value embed_call(const call_info & info) {
    auto work = [base = shared_model(info[0]), options = options_argument<embed_options>(info, 1)](
                    run_context & context) { return written(embed(base, options, emitting(context), context.stop())); };
    return start_run(info.Env(), argument<Napi::Function>(info, 2, "onEvents"), std::move(work));
}

Napi::Value bench_call(const call_info & info) {
    auto work = [base = shared_model(info[0]),
                 options = options_argument<bench_options>(info, 1)](run_context & context) mutable -> js_maker {
        options.vocabulary_size = uint64_t(describe(*base).vocabulary_size);
        measure(base, options, emitting(context), context.stop());
        return {};
    };
    return start_run(info.Env(), argument<Napi::Function>(info, 2, "onEvents"), std::move(work));
}

template <Napi::Value (*call)(const call_info &)>
Napi::Value guarded_call(const call_info & info) {
    return guarded(info.Env(), [&] { return call(info); });
}

template <Napi::Value (*call)(const call_info &)>
void add_call(Napi::Env env, Napi::Object exports, const char * name) {
    exports.Set(name, Napi::Function::New<guarded_call<call>>(env, name));
}

}

void export_calls(Napi::Env env, Napi::Object exports) {
    add_call<gpu_backends_call>(env, exports, "gpuBackends");
    add_call<load_backends_call>(env, exports, "loadBackends");
    add_call<system_info_call>(env, exports, "systemInfo");
    add_call<list_devices_call>(env, exports, "listDevices");
    add_call<measure_peak_call>(env, exports, "measurePeak");
    add_call<test_device_call>(env, exports, "testDevice");
    add_call<create_model_call>(env, exports, "createModel");
    add_call<quantize_model_call>(env, exports, "quantizeModel");
    add_call<describe_adapter_call>(env, exports, "describeAdapter");
    add_call<computed_tokens_call>(env, exports, "computedTokens");
    add_call<read_adapter_call>(env, exports, "readAdapter");
    add_call<write_adapter_call>(env, exports, "writeAdapter");
    add_call<merge_adapter_call>(env, exports, "mergeAdapter");
    add_call<plan_training_call>(env, exports, "planTraining");
    add_call<estimate_memory_call>(env, exports, "estimateMemory");
    add_call<train_call>(env, exports, "train");
    add_call<generate_call>(env, exports, "generate");
    add_call<score_call>(env, exports, "score");
    add_call<embed_call>(env, exports, "embed");
    add_call<bench_call>(env, exports, "bench");
    add_call<field_names_call>(env, exports, "fieldNames");
}

}
