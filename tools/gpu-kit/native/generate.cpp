#include "bench/measure.h"
#include "benchmarks.h"
#include "model.h"

#include <algorithm>

namespace gpu_kit {

using namespace llamatune;
using nlohmann::json;

json measure_generation(const spec & s, const shape & sh) {
    const loaded base = load_model(s, sh);
    bench_options options;
    options.prompt_tokens = s.prompt_tokens;
    options.generated_tokens = s.generated_tokens;
    options.vocabulary_size = uint64_t(sh.vocabulary_size);
    options.warmup = 1;
    options.repetitions = s.steps;
    std::vector<double> prompt, generated; // tokens per second
    static const std::atomic<bool> never{false};
    measure(
        base.model, options,
        [&](const bench_sample & sample) {
            if (sample.warmup) return;
            auto & rates = sample.kind == bench_kind::prompt ? prompt : generated;
            rates.push_back(double(sample.tokens) * 1000 / sample.ms);
        },
        never);
    for (auto * rates : {&prompt, &generated}) std::sort(rates->begin(), rates->end());
    return {{"model", s.model},
            {"type", s.type},
            {"promptTokens", s.prompt_tokens},
            {"generatedTokens", s.generated_tokens},
            {"promptTokensPerSecond", prompt[prompt.size() / 2]},
            {"generatedTokensPerSecond", generated[generated.size() / 2]}};
}

}
