#include "binding/train-run.h"

#include "binding/errors.h"
#include "binding/model-object.h"
#include "binding/run.h"
#include "binding/values.h"
#include "core/error.h"
#include "train/trainer.h"

namespace llamatune::binding {

namespace {

train_mode read_mode(const std::string & mode) {
    if (mode == "lora") return train_mode::lora;
    if (mode == "full") return train_mode::full;
    throw error("ARGUMENT_INVALID", "expected 'lora' or 'full' for mode but received '" + mode + "'");
}

struct event_to_js {
    Napi::Env env;

    Napi::Value operator()(const step_event & e) const {
        return make_object(env, {
                                    {"type", "step"},
                                    {"step", e.step},
                                    {"totalSteps", e.total_steps},
                                    {"epoch", e.epoch},
                                    {"loss", e.loss},
                                    {"learningRate", e.learning_rate},
                                    {"gradientNorm", e.gradient_norm},
                                    {"tokens", e.tokens},
                                    {"targetTokens", e.target_tokens},
                                    {"tokensPerSecond", e.tokens_per_second},
                                    {"samplesPerSecond", e.samples_per_second},
                                    {"stepMs", e.step_ms},
                                    {"forwardMs", e.forward_ms},
                                    {"backwardMs", e.backward_ms},
                                    {"lossMs", e.loss_ms},
                                    {"optimizerMs", e.optimizer_ms},
                                    {"dataMs", e.data_ms},
                                    {"memoryBytes", positive_or_null(env, double(e.memory_bytes))},
                                    {"etaMs", e.eta_ms},
                                });
    }
    Napi::Value operator()(const evaluation_event & e) const {
        return make_object(env, {{"type", "evaluation"},
                                 {"step", e.step},
                                 {"epoch", e.epoch},
                                 {"loss", e.loss},
                                 {"targetTokens", e.target_tokens},
                                 {"ms", e.ms}});
    }
    Napi::Value operator()(const checkpoint_event & e) const {
        return make_object(env, {{"type", "checkpoint"}, {"step", e.step}, {"path", e.path}});
    }
    Napi::Value operator()(const epoch_event & e) const {
        return make_object(env, {{"type", "epoch"}, {"epoch", e.epoch}, {"step", e.step}, {"loss", e.loss}});
    }
    Napi::Value operator()(const warning_event & e) const {
        return make_object(env, {{"type", "warning"}, {"code", e.code}, {"message", e.message}});
    }
    Napi::Value operator()(const phase_event & e) const {
        return make_object(env, {{"type", "phase"}, {"phase", e.phase}});
    }
};

Napi::Value result_to_js(Napi::Env env, const train_result & r) {
    return make_object(env, {
                                {"steps", r.steps},
                                {"finalLoss", r.final_loss},
                                {"finalValidationLoss", r.final_validation_loss},
                                {"tokens", r.tokens},
                                {"targetTokens", r.target_tokens},
                                {"seconds", r.seconds},
                                {"tokensPerSecond", r.tokens_per_second},
                                {"trainableParameters", r.trainable_parameters},
                                {"peakMemoryBytes", positive_or_null(env, double(r.peak_memory_bytes))},
                            });
}

}

train_precision read_precision(const std::string & precision) {
    if (precision == "f32") return train_precision::f32;
    if (precision == "bf16") return train_precision::bf16;
    throw error("ARGUMENT_INVALID", "expected 'f32' or 'bf16' for precision but received '" + precision + "'");
}

train_options read_train_options(const args & from) {
    const args lora = from.object("lora");
    train_options to;
    to.mode = read_mode(from.text("mode"));
    to.lora.rank = lora.int32("rank");
    to.lora.alpha = float(lora.number("alpha"));
    to.lora.rs_lora = lora.flag("rsLora");
    to.lora.plus_ratio = float(lora.number("plusRatio"));
    to.lora.targets = lora.texts("targets");
    to.lora.init_adapter = lora.text("initAdapter");
    to.train_file = from.text("trainFile");
    to.validation_file = from.text("validationFile");
    to.output = from.text("output");
    to.sequence_length = from.int32("sequenceLength");
    to.batch_size = from.int32("batchSize");
    to.micro_batch_size = from.int32("microBatchSize");
    to.packing = from.flag("packing");
    to.shuffle = from.flag("shuffle");
    to.epochs = from.int32("epochs");
    to.seed = from.whole("seed");
    to.learning_rates = from.floats("learningRates");
    to.beta1 = float(from.number("beta1"));
    to.beta2 = float(from.number("beta2"));
    to.epsilon = float(from.number("epsilon"));
    to.weight_decay = float(from.number("weightDecay"));
    to.max_gradient_norm = float(from.number("maxGradientNorm"));
    to.evaluate_every = from.int32("evaluateEvery");
    to.checkpoint_directory = from.text("checkpointDirectory");
    to.checkpoint_every = from.int32("checkpointEvery");
    to.resume = from.flag("resume");
    to.precision = read_precision(from.text("precision"));
    to.n_threads = from.int32("threads");
    to.recompute = from.flag("recompute");
    return to;
}

Napi::Value plan_training_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const train_plan plan = plan_training(read_train_options(args(info[0], "options")));
        return make_object(info.Env(), {
                                           {"samples", plan.n_samples},
                                           {"rows", plan.n_rows},
                                           {"stepsPerEpoch", plan.steps_per_epoch},
                                           {"totalSteps", plan.total_steps},
                                           {"tokens", plan.n_tokens},
                                           {"targetTokens", plan.n_target_tokens},
                                       });
    });
}

Napi::Value estimate_memory_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        return start_task(info.Env(),
                          [base = shared_model(info[0]),
                           options = read_train_options(args(info[1], "options"))](run_context &) -> js_maker {
                              const memory_estimate estimate = estimate_memory(base, options);
                              return [estimate](Napi::Env env) -> Napi::Value {
                                  return make_object(env, {
                                                              {"weightsBytes", estimate.weights_bytes},
                                                              {"adapterBytes", estimate.adapter_bytes},
                                                              {"activationBytes", estimate.activation_bytes},
                                                              {"totalBytes", estimate.total_bytes},
                                                          });
                              };
                          });
    });
}

Napi::Value train_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        auto work = [base = shared_model(info[0]),
                     options = read_train_options(args(info[1], "options"))](run_context & context) -> js_maker {
            const event_sink sink = [&context](const train_event & event) {
                context.emit([event](Napi::Env env) { return std::visit(event_to_js{env}, event); });
            };
            const train_result result = run_training(base, options, sink, context.stop());
            return [result](Napi::Env env) { return result_to_js(env, result); };
        };
        return start_run(info.Env(), callback_argument(info, 2, "onEvents"), std::move(work));
    });
}

}
