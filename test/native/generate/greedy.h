#pragma once

#include "core/error.h"
#include "generate/generate.h"
#include "model/tokenizer.h"

#include <atomic>
#include <functional>
#include <string>
#include <variant>
#include <vector>

inline const std::atomic<bool> never{false};

// The options of a call with one prompt and one sample.
struct one_prompt : llamatune::generate_options {
    std::vector<int32_t> prompt;
};

inline one_prompt greedy(const llamatune::model & m, const std::string & prompt = "the cat", int32_t max_tokens = 24) {
    one_prompt o;
    o.prompt = llamatune::tokenize(m, prompt, false, false);
    o.max_tokens = max_tokens;
    o.n_threads = 1; // the matrices are tiny, so a second thread would only wait
    o.sampling.temperature = 0.0f;
    o.sampling.ignore_eos = true;
    return o;
}

using token_sink = std::function<void(const llamatune::token_event &)>;

// Generates one answer. Throws the error of the sequence.
inline llamatune::sequence_result generate(const std::shared_ptr<llamatune::model> & m, const one_prompt & o,
                                           const token_sink & sink, const std::atomic<bool> & stop) {
    llamatune::prompt_queue prompts;
    prompts.add({0, o.prompt, {o.sampling.seed}});
    prompts.close();
    llamatune::sequence_result result;
    const auto on_event = [&](const llamatune::generation_event & event) {
        if (const auto * token = std::get_if<llamatune::token_event>(&event)) {
            if (sink) sink(*token);
        } else {
            result = std::get<llamatune::sequence_result>(event);
        }
    };
    llamatune::generate(m, o, prompts, on_event, stop);
    if (result.failure) throw llamatune::error(result.failure->code, result.failure->message, result.failure->hint);
    return result;
}

inline llamatune::sequence_result run(const std::shared_ptr<llamatune::model> & m, const one_prompt & o) {
    return generate(m, o, nullptr, never);
}
