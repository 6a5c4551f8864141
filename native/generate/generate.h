#pragma once

#include "core/enum-names.h"
#include "generate/adapters.h"
#include "generate/sampler.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace llamatune {

struct generate_options {
    std::vector<int32_t> prompt;
    int32_t max_tokens = 256;   // -1: until the context is full
    int32_t context_length = 0; // tokens of prompt and answer together; 0: the model's training context
    int32_t batch_size = 512;   // prompt tokens per forward pass
    int32_t n_threads = 0;      // 0: all physical cores
    std::vector<adapter_option> adapters;
    sampling_options sampling;
    std::vector<std::string> stop; // matched on the text, across tokens; not part of the result
};

template <class V>
void fields(V & v, generate_options & o) {
    v("prompt", o.prompt);
    v("maxTokens", o.max_tokens);
    v("contextLength", o.context_length);
    v("batchSize", o.batch_size);
    v("threads", o.n_threads);
    v("adapters", o.adapters);
    fields(v, o.sampling);
    v("stop", o.stop);
}

enum class finish_reason { eos, stop, length };

inline constexpr enum_name<finish_reason> finish_reason_names[] = {
    {finish_reason::eos, "eos"}, {finish_reason::stop, "stop"}, {finish_reason::length, "length"}};
constexpr auto & names_of(finish_reason) { return finish_reason_names; }

struct generate_result {
    std::string text;            // valid UTF-8
    std::vector<int32_t> tokens; // without the end-of-generation token
    int64_t prompt_tokens = 0;
    int64_t generated_tokens = 0;
    finish_reason reason = finish_reason::length;
    double time_to_first_token_ms = 0; // from the call, including loading adapters; NaN if no token was generated
    double prompt_ms = 0;              // forward passes of the prompt
    double generation_ms = 0;          // from the prompt's end to the last token
};

template <class V>
void fields(V & v, generate_result & r) {
    v("text", r.text);
    v("tokens", r.tokens);
    v("promptTokens", r.prompt_tokens);
    v("generatedTokens", r.generated_tokens);
    v("finishReason", r.reason);
    v("timeToFirstTokenMs", r.time_to_first_token_ms);
    v("promptMs", r.prompt_ms);
    v("generationMs", r.generation_ms);
}

// Sent for each generated token. `text` can be shown now (it may be empty: see text-stream.h); all texts joined are the
// result's text. Text that was held back until an end-of-generation token is sent with that token.
struct token_event {
    int32_t token;
    std::string text;
};

template <class V>
void fields(V & v, token_event & e) {
    v.type("token");
    v("token", e.token);
    v("text", e.text);
}

using token_sink = std::function<void(const token_event &)>; // called on the generating thread

// Generates on the calling thread in a new context; any number of calls may share a model. `stop` takes effect within
// one token, and within a prompt's forward pass if the device allows it. Throws error: PROMPT_EMPTY, PROMPT_TOO_LONG,
// TOKEN_OUT_OF_RANGE, GRAMMAR_INVALID, ADAPTER_*, UNSUPPORTED_ARCHITECTURE (no decoder), OUT_OF_MEMORY,
// NON_FINITE_LOGITS, GENERATION_FAILED, NATIVE_ASSERTION, ABORTED.
generate_result generate(const std::shared_ptr<model> & base, const generate_options & options, const token_sink & sink,
                         const std::atomic<bool> & stop);

}
