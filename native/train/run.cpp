#include "train/run.h"

#include "core/atomic-file.h"
#include "core/error.h"
#include "core/process-memory.h"
#include "model/tokenizer.h"
#include "train/output.h"
#include "train/plan.h"
#include "train/profile.h"
#include "train/trainable-weights.h"
#include "train/trainer.h"

#include <chrono>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

void check_vocabulary(const model & base, const token_file & file, const std::string & path) {
    const int32_t n_vocab = vocabulary_size(base);
    if (file.max_token() >= n_vocab) {
        throw error("TOKEN_OUT_OF_RANGE",
                    path + " has the token " + std::to_string(file.max_token()) + ", but the model's vocabulary has " +
                        std::to_string(n_vocab) + " tokens",
                    "Tokenize the dataset with this model's tokenizer.");
    }
}

std::vector<std::string> inputs_of(const model & base, const train_options & options) {
    return {base.options().path, options.train_file, options.validation ? options.validation->file : "",
            options.lora.init_adapter.value_or("")};
}

}

train_result run_training(const std::shared_ptr<model> & base, const train_options & options,
                          const event_sink & on_event, const std::atomic<bool> & stop, pause_gate * pause,
                          const decision_source & decide) {
    const struct memory_release {
        ~memory_release() { release_freed_memory(); }
    } release; // destroyed after all other objects of the run
    const auto start = clock::now();
    require_distinct_output(options.output, inputs_of(*base, options));
    const auto file = token_file::open(options.train_file);
    check_vocabulary(*base, *file, options.train_file);
    loader data(*file, loader_options_of(options));

    on_event(phase_event{"graph", std::nullopt});
    compute devices(*base, options.n_threads, name_of(options.precision));
    devices.set_stop(&stop);
    devices.set_weight_cache(uses_weight_cache(options));
    trainable_weights weights(base, options);
    auto graph = std::make_unique<forward>(base, weights.adapter_handle(), first_shape(options), devices,
                                           uint32_t(options.sequence_length));
    weights.collect(*graph);
    require_disk_space(weights, options);
    const std::string profile = profile_path();
    step_options step_settings = step_options_of(options);
    step_settings.profile = !profile.empty();
    step_settings.memory = std::make_shared<step_memory>(devices);
    std::optional<expert_counter> experts;
    if (options.expert_statistics) step_settings.experts = &experts.emplace(*base);
    step model_step(std::move(graph), devices, &weights.parameters(), step_settings);
    optimizer optim(weights.parameters(), options.optimizer, devices);

    train_parts parts{data,
                      model_step,
                      weights.parameters(),
                      optim,
                      double(options.optimizer.max_gradient_norm),
                      options.learning_rates};
    parts.pause = pause;
    parts.experts = step_settings.experts;
    std::optional<evaluator> validation;
    tensor_copies best(weights.parameters().values());
    std::optional<tensor_copies> kept;
    if (options.adaptive) {
        parts.decide = decide;
        parts.kept = &kept.emplace(tensors_of_training(weights.parameters(), optim));
    }
    if (options.validation) {
        parts.validation = &validation.emplace(base, weights, options, devices, step_settings.memory);
        parts.evaluate_every = options.validation->every_steps;
        parts.patience = options.validation->patience;
        if (options.validation->keep_best) parts.best = &best;
    }
    std::optional<checkpoint_facts> facts;
    std::optional<checkpoint_folder> checkpoints;
    train_state state;
    if (options.checkpoint) {
        facts.emplace(*base, options, *file, validation ? &validation->samples() : nullptr, weights, optim);
        parts.checkpoints =
            &checkpoints.emplace(checkpoint_parts{options, weights, optim, *facts, parts.best, parts.kept});
        if (const auto resumed = checkpoints->resume(data, on_event)) state = *resumed;
    }

    release_freed_memory(); // of temporary objects while the graphs were built
    on_event(phase_event{"train", checkpoints ? std::optional(checkpoints->run()) : std::nullopt});
    const int64_t steps_before = state.step, tokens_before = state.tokens;
    train_result result = train(parts, state, on_event, stop);
    if (best.stored()) best.load();
    if (!options.output.empty()) {
        on_event(phase_event{"save", std::nullopt});
        save_output(weights, options);
    }
    if (!profile.empty()) write_profile(profile, model_step.profile(), model_step.n_runs());
    result.seconds = std::chrono::duration<double>(clock::now() - start).count() - result.paused_seconds;
    if (state.step > steps_before) result.tokens_per_second = double(state.tokens - tokens_before) / result.seconds;
    result.peak_memory_bytes = peak_resident_bytes();
    result.weight_cache_bytes = devices.weight_cache_bytes();
    if (experts) result.experts = experts->layers();
    return result;
}

}
