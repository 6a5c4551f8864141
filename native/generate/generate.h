#pragma once

#include "core/enum-names.h"
#include "generate/adapters.h"
#include "generate/context.h"
#include "generate/prompt-queue.h"
#include "generate/sampler.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace llamatune {

// Options of all sequences of a call.
struct generate_options {
    int32_t max_tokens = 256;   // -1: until the context is full
    int32_t context_length = 0; // tokens of a prompt and its answer together; 0: the model's training context
    int32_t batch_size = 512;   // prompt tokens per forward pass
    int32_t n_threads = 0;      // 0: all physical cores
    int32_t samples = 1;        // the largest number of samples of a prompt
    int32_t parallel = 1;       // sequences that are decoded together
    int64_t memory_limit = 0;   // bytes of cache for all sequences together, which lowers `parallel`; 0: no limit
    flash_attention attention = flash_attention::automatic;
    bool expert_statistics = false; // count the chosen experts, which takes time
    std::vector<adapter_option> adapters;
    sampling_options sampling;     // each sequence has its own seed
    std::vector<std::string> stop; // matched on the text, across tokens; not part of the result
};

template <class V>
void fields(V & v, generate_options & o) {
    v("maxTokens", o.max_tokens);
    v("contextLength", o.context_length);
    v("batchSize", o.batch_size);
    v("threads", o.n_threads);
    v("samples", o.samples);
    v("parallel", o.parallel);
    v("memoryLimit", o.memory_limit);
    v("flashAttention", o.attention);
    v("expertStatistics", o.expert_statistics);
    v("adapters", o.adapters);
    fields(v, o.sampling);
    v("stop", o.stop);
}

enum class finish_reason { eos, stop, length, cancelled, error };

inline constexpr enum_name<finish_reason> finish_reason_names[] = {{finish_reason::eos, "eos"},
                                                                   {finish_reason::stop, "stop"},
                                                                   {finish_reason::length, "length"},
                                                                   {finish_reason::cancelled, "cancelled"},
                                                                   {finish_reason::error, "error"}};
constexpr auto & names_of(finish_reason) { return finish_reason_names; }

// Why one sequence failed while the others continue.
struct sequence_error {
    std::string code;
    std::string message;
    std::string hint;
};

template <class V>
void fields(V & v, sequence_error & e) {
    v("code", e.code);
    v("message", e.message);
    v("hint", e.hint);
}

// The result of one sequence, sent as an event when it has ended.
struct sequence_result {
    int64_t prompt_index = 0;
    int32_t sample_index = 0;
    uint64_t seed = 0;
    std::string text;            // valid UTF-8
    std::vector<int32_t> tokens; // without the end-of-generation token
    int64_t prompt_tokens = 0;
    int64_t shared_prompt_tokens = 0; // of the prompt, computed before for another sequence
    int64_t generated_tokens = 0;
    finish_reason reason = finish_reason::length;
    std::optional<sequence_error> failure; // only with finish_reason::error
    double time_to_first_token_ms = 0; // from the start of the call, including loading adapters; NaN without a token
    double prompt_ms = 0;              // forward passes of the prompt
    double generation_ms = 0;          // from the prompt's end to the last token
    // Of all sequences since the last one that ended; only with expert_statistics.
    std::optional<std::vector<layer_experts>> experts;
};

template <class V>
void fields(V & v, sequence_result & r) {
    v.type("sequence");
    v("promptIndex", r.prompt_index);
    v("sampleIndex", r.sample_index);
    v("seed", r.seed);
    v("text", r.text);
    v("tokens", r.tokens);
    v("promptTokens", r.prompt_tokens);
    v("sharedPromptTokens", r.shared_prompt_tokens);
    v("generatedTokens", r.generated_tokens);
    v("finishReason", r.reason);
    v("error", r.failure);
    v("timeToFirstTokenMs", r.time_to_first_token_ms);
    v("promptMs", r.prompt_ms);
    v("generationMs", r.generation_ms);
    v("experts", r.experts);
}

// Sent for each generated token. `text` can be shown now (it may be empty: see text-stream.h); all texts of a sequence
// joined are its text. Text that was held back until an end-of-generation token is sent with that token.
struct token_event {
    int64_t prompt_index;
    int32_t sample_index;
    int32_t token;
    std::string text;
};

template <class V>
void fields(V & v, token_event & e) {
    v.type("token");
    v("promptIndex", e.prompt_index);
    v("sampleIndex", e.sample_index);
    v("token", e.token);
    v("text", e.text);
}

// Sums over all sequences of a call.
struct generation_totals {
    int32_t parallel = 0;             // the largest number of sequences that were decoded together
    int64_t prompt_tokens = 0;        // of all prompts, once for each sample
    int64_t shared_prompt_tokens = 0; // of them, not computed again
    int64_t generated_tokens = 0;
    double prompt_ms = 0;                              // forward passes of prompts
    double generation_ms = 0;                          // sampling, and forward passes of generated tokens
    std::optional<bool> flash_attention;               // whether it was used; empty if no prompt was computed
    std::optional<std::vector<layer_experts>> experts; // only with expert_statistics
};

template <class V>
void fields(V & v, generation_totals & t) {
    v("parallel", t.parallel);
    v("promptTokens", t.prompt_tokens);
    v("sharedPromptTokens", t.shared_prompt_tokens);
    v("generatedTokens", t.generated_tokens);
    v("promptMs", t.prompt_ms);
    v("generationMs", t.generation_ms);
    v("flashAttention", t.flash_attention);
    v("experts", t.experts);
}

using generation_event = std::variant<token_event, sequence_result>;
using generation_sink = std::function<void(const generation_event &)>; // called on the generating thread

// Generates an answer for every sample of every prompt of the queue, on the calling thread in a new context, until the
// queue is closed and empty. Any number of calls may share a model. `stop` takes effect within one token, and within a
// prompt's forward pass if the device allows it.
//
// A sequence that fails alone ends with finish_reason::error: PROMPT_EMPTY, PROMPT_TOO_LONG, TOKEN_OUT_OF_RANGE,
// NON_FINITE_LOGITS, GRAMMAR_STUCK. Throws error: GRAMMAR_INVALID, ADAPTER_*, UNSUPPORTED_ARCHITECTURE (no decoder),
// FLASH_ATTENTION_UNSUPPORTED, OUT_OF_MEMORY, GENERATION_FAILED, NATIVE_ASSERTION, ABORTED.
generation_totals generate(const std::shared_ptr<model> & base, const generate_options & options,
                           prompt_queue & prompts, const generation_sink & sink, const std::atomic<bool> & stop);

}
