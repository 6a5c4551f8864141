#include "bench/measure.h"

#include "core/rng.h"
#include "generate/context.h"
#include "train/run.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace llamatune {

namespace {

constexpr int32_t prompt_batch = 512;

template <typename F>
double timed_ms(F && work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::vector<int32_t> random_tokens(uint64_t n_vocab, int32_t count) {
    rng random(0);
    std::vector<int32_t> tokens(static_cast<size_t>(count));
    for (int32_t & token : tokens) token = int32_t(random.below(n_vocab));
    return tokens;
}

template <typename F>
void repeat(bench_kind kind, int32_t n_tokens, const bench_options & options, const bench_sink & on_sample, F && once) {
    for (const bool warmup : {true, false}) {
        const int32_t count = warmup ? options.warmup : options.repetitions;
        for (int32_t i = 1; i <= count; i++) on_sample({kind, i, warmup, n_tokens, once()});
    }
}

// Prompt processing and generation with the context of generate(), without sampling.
void measure_inference(const std::shared_ptr<model> & base, const bench_options & options, const bench_sink & on_sample,
                       const std::atomic<bool> & stop) {
    const int32_t n_prompt = options.prompt_tokens, n_generated = options.generated_tokens;
    if (n_prompt <= 0 && n_generated <= 0) return;
    const int32_t n_ctx = std::max(n_prompt, n_generated);
    inference_context context(base, {n_ctx, std::min(n_ctx, prompt_batch), options.n_threads, 1, options.attention},
                              nullptr, stop);
    const std::vector<int32_t> tokens = random_tokens(options.vocabulary_size, n_ctx);

    if (n_prompt > 0) {
        repeat(bench_kind::prompt, n_prompt, options, on_sample, [&] {
            context.clear();
            return timed_ms([&] { context.decode_all(tokens.data(), size_t(n_prompt)); });
        });
    }
    if (n_generated > 0) {
        repeat(bench_kind::generation, n_generated, options, on_sample, [&] {
            context.clear();
            return timed_ms([&] {
                for (int32_t i = 0; i < n_generated; i++) context.decode(&tokens[size_t(i)], 1);
            });
        });
    }
}

// All repetitions are parts of one training run, so that none of them includes building the graph.
void measure_training(const std::shared_ptr<model> & base, const bench_options & options, const bench_sink & on_sample,
                      const std::atomic<bool> & stop) {
    if (options.train_steps <= 0 || !options.training) return;
    int64_t steps = 0, tokens = 0;
    double ms = 0;
    run_training(
        base, *options.training,
        [&](const train_event & event) {
            const auto * step = std::get_if<step_event>(&event);
            if (!step) return;
            tokens += step->tokens;
            ms += step->step_ms;
            if (++steps % options.train_steps != 0) return;
            const int32_t round = int32_t(steps / options.train_steps);
            const bool warmup = round <= options.warmup;
            on_sample({bench_kind::training, warmup ? round : round - options.warmup, warmup, tokens, ms});
            tokens = 0;
            ms = 0;
        },
        stop);
}

}

void measure(const std::shared_ptr<model> & base, const bench_options & options, const bench_sink & on_sample,
             const std::atomic<bool> & stop) {
    measure_inference(base, options, on_sample, stop);
    measure_training(base, options, on_sample, stop);
}

}
