#pragma once

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
    int32_t context_length = 0; // tokens of prompt and answer together; 0: what the model was trained for
    int32_t batch_size = 512;   // prompt tokens per forward pass
    int32_t n_threads = 0;      // 0: all physical cores
    std::vector<adapter_option> adapters;
    sampling_options sampling;
    std::vector<std::string> stop; // matched on the text, across tokens; not part of it
};

enum class finish_reason { eos, stop, length };

struct generate_result {
    std::string text;            // valid UTF-8
    std::vector<int32_t> tokens; // without the end-of-generation token
    int64_t prompt_tokens = 0;
    int64_t generated_tokens = 0;
    finish_reason reason = finish_reason::length;
    double time_to_first_token_ms = 0; // from the call, loading adapters included; NaN if there was none
    double prompt_ms = 0;              // forward passes of the prompt
    double generation_ms = 0;          // from the prompt's end to the last token
};

// One call per generated token, on the calling thread. `text` is what can be shown now (may be empty: see
// text-stream.h); all texts joined are the result's. A text held back until an end-of-generation token comes with that
// token.
using token_sink = std::function<void(int32_t token, const std::string & text)>;

// Runs in a context of its own on the calling thread; any number of calls may share a model. `stop` is obeyed within
// one token, and within a prompt's forward pass where the device allows it. Throws error: PROMPT_EMPTY,
// PROMPT_TOO_LONG, TOKEN_OUT_OF_RANGE, GRAMMAR_INVALID, ADAPTER_*, UNSUPPORTED_ARCHITECTURE (no decoder),
// OUT_OF_MEMORY, NON_FINITE_LOGITS, GENERATION_FAILED, NATIVE_ASSERTION, ABORTED.
generate_result generate(const std::shared_ptr<model> & base, const generate_options & options, const token_sink & sink,
                         const std::atomic<bool> & stop);

}
