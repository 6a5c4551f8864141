#pragma once

#include "generate/generate.h"
#include "model/tokenizer.h"

#include <atomic>
#include <string>

inline const std::atomic<bool> never{false};

inline llamatune::generate_options greedy(const llamatune::model & m, const std::string & prompt = "the cat",
                                          int32_t max_tokens = 24) {
    llamatune::generate_options o;
    o.prompt = llamatune::tokenize(m, prompt, false, false);
    o.max_tokens = max_tokens;
    o.n_threads = 1; // the matrices are tiny, so a second thread would only wait
    o.sampling.temperature = 0.0f;
    o.sampling.ignore_eos = true;
    return o;
}

inline llamatune::generate_result run(const std::shared_ptr<llamatune::model> & m,
                                      const llamatune::generate_options & o) {
    return generate(m, o, nullptr, never);
}
