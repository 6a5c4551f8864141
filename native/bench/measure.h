#pragma once

#include "core/enum-names.h"
#include "generate/context.h"
#include "train/run.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace llamatune {

enum class bench_kind { prompt, generation, training };

inline constexpr enum_name<bench_kind> bench_kind_names[] = {
    {bench_kind::prompt, "prompt"}, {bench_kind::generation, "generation"}, {bench_kind::training, "training"}};
constexpr auto & names_of(bench_kind) { return bench_kind_names; }

// One measured repetition; the caller computes medians.
struct bench_sample {
    bench_kind kind;
    int32_t repetition; // 1-based; warm-up and measurement count separately
    bool warmup;
    int64_t tokens;
    double ms;
};

template <class V>
void fields(V & v, bench_sample & s) {
    v.type("sample");
    v("kind", s.kind);
    v("repetition", s.repetition);
    v("warmup", s.warmup);
    v("tokens", s.tokens);
    v("ms", s.ms);
}

using bench_sink = std::function<void(const bench_sample &)>;

struct bench_options {
    int32_t prompt_tokens = 512;   // 0: not measured
    int32_t generated_tokens = 64; // 0: not measured
    uint64_t vocabulary_size = 0;  // of the model; prompts are random tokens, since the speed does not depend on them
    int32_t warmup = 1;
    int32_t repetitions = 5;
    int32_t n_threads = 0;                                  // 0: all physical cores
    flash_attention attention = flash_attention::automatic; // of prompt processing and generation

    // A repetition is `train_steps` consecutive optimizer steps of one run, which must be long enough for all
    // repetitions.
    int32_t train_steps = 0;
    std::optional<train_options> training;
};

template <class V>
void fields(V & v, bench_options & o) {
    v("promptTokens", o.prompt_tokens);
    v("generatedTokens", o.generated_tokens);
    v("warmup", o.warmup);
    v("repetitions", o.repetitions);
    v("threads", o.n_threads);
    v("flashAttention", o.attention);
    v("trainSteps", o.train_steps);
    v("training", o.training);
}

// Measures one kind after the other on the calling thread, each with its warm-up first. `stop` is read before each
// batch, token and step. Throws the errors of an inference context and of run_training().
void measure(const std::shared_ptr<model> & base, const bench_options & options, const bench_sink & on_sample,
             const std::atomic<bool> & stop);

}
