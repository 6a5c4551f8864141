#pragma once

#include "generate/generate.h"
#include "generate/text-stream.h"

#include <chrono>
#include <memory>

namespace llamatune {

// Throws error PROMPT_EMPTY, PROMPT_TOO_LONG, TOKEN_OUT_OF_RANGE.
void check_prompt(const model & m, const generate_options & o, const std::vector<int32_t> & tokens);

// How many tokens a prompt of this length and its answer may have together.
int64_t needed_context(const model & m, const generate_options & o, size_t prompt_length);

// A sample of a prompt: its sampler, its text and its result.
class sequence {
public:
    using clock = std::chrono::steady_clock;

    // `call_started` is the start of the call, for the time to the first token. Throws error GRAMMAR_INVALID.
    sequence(const model & m, const generate_options & o, std::shared_ptr<const prompt> p, int32_t sample_index,
             clock::time_point call_started);

    // Records how the prompt was computed. Draws no token.
    void prompt_computed(int64_t shared_tokens, double ms);
    // Draws the next token from the logits and sends it. Returns whether the sequence continues. Throws error
    // NON_FINITE_LOGITS, GRAMMAR_STUCK.
    bool draw(const float * logits, const generation_sink & sink);
    // Ends the sequence for another reason than its tokens.
    void fail(const sequence_error & failure);
    void cancel();

    const prompt & source() const { return *prompt_; }
    const sequence_result & result() const { return result_; }

private:
    bool end(finish_reason reason);
    void show(int32_t token, const std::string & text, const generation_sink & sink);

    const model & model_;
    std::shared_ptr<const prompt> prompt_;
    int64_t n_wanted_; // most tokens to generate
    sampler sampling_;
    bool ignore_eos_;
    text_stream stream_;
    clock::time_point call_started_, generation_started_;
    sequence_result result_;
};

}
