#pragma once

#include "model/load.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct llama_sampler;

namespace llamatune {

struct sampling_options {
    float temperature = 0.8f;    // 0: always the most likely token
    int32_t top_k = 40;          // 0: off
    float top_p = 0.95f;         // 1: off
    float min_p = 0.05f;         // 0: off
    float repeat_penalty = 1.0f; // 1: off
    int32_t repeat_last_n = 64;  // how many tokens back the penalty looks, including the prompt; 0: off; -1: all
    uint64_t seed = 42;
    std::optional<std::string> grammar; // GBNF with a "root" rule
    bool ignore_eos = false;            // never sample end-of-generation tokens (a finished grammar still ends)
};

template <class V>
void fields(V & v, sampling_options & o) {
    v("temperature", o.temperature);
    v("topK", o.top_k);
    v("topP", o.top_p);
    v("minP", o.min_p);
    v("repeatPenalty", o.repeat_penalty);
    v("repeatLastN", o.repeat_last_n);
    v("seed", o.seed);
    v("grammar", o.grammar);
    v("ignoreEos", o.ignore_eos);
}

// llama.cpp's samplers in the order of its tools: bias, penalties, top-k, top-p, min-p, temperature, draw. With a
// grammar, the drawn token is checked first, and all candidates are filtered only if the grammar rejects it.
class sampler {
public:
    // Throws error GRAMMAR_INVALID.
    sampler(const model & m, const sampling_options & options);

    // The prompt counts for the repetition penalty; the grammar does not see it.
    void accept_prompt(const std::vector<int32_t> & tokens);

    // Draws from the logits of all tokens and accepts the drawn one. Throws error NON_FINITE_LOGITS, GRAMMAR_STUCK.
    int32_t sample(const float * logits);

    bool has_grammar() const { return grammar_ != nullptr; }

private:
    struct deleter {
        void operator()(llama_sampler * s) const;
    };
    using handle = std::unique_ptr<llama_sampler, deleter>;

    int32_t draw(const float * logits, bool constrained);
    int32_t most_likely(const float * logits) const;
    void list_candidates(const float * logits, bool all);
    bool is_banned(int32_t token) const;

    int32_t n_vocab_;
    bool greedy_;                 // take the highest logit that is not banned
    std::vector<int32_t> banned_; // in ascending order
    int32_t repeat_last_n_;
    size_t n_candidates_; // how many of the highest logits the chain can choose from; 0: all
    handle chain_;
    handle grammar_;
    struct candidates;
    std::shared_ptr<candidates> candidates_;
};

}
