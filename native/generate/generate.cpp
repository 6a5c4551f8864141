#include "generate/generate.h"

#include "core/error.h"
#include "generate/context.h"
#include "generate/text-stream.h"
#include "model/tokenizer.h"

#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

double ms_since(clock::time_point start) {
    return std::chrono::duration<double, std::milli>(clock::now() - start).count();
}

// Returns how many tokens the prompt and the answer may have together. Throws PROMPT_EMPTY, PROMPT_TOO_LONG.
int32_t context_limit(const model & m, const generate_options & o) {
    const int64_t n_prompt = int64_t(o.prompt.size());
    const int64_t limit = o.context_length > 0 ? o.context_length : llama_model_n_ctx_train(m.handle());
    if (n_prompt == 0) throw error("PROMPT_EMPTY", "the prompt is empty", "start with the BOS token, or with text");
    if (n_prompt >= limit) {
        throw error("PROMPT_TOO_LONG",
                    "the prompt has " + std::to_string(n_prompt) + " tokens and leaves no space in a context of " +
                        std::to_string(limit),
                    "shorten the prompt or raise contextLength");
    }
    return int32_t(limit);
}

}

generate_result generate(const std::shared_ptr<model> & base, const generate_options & o, const token_sink & sink,
                         const std::atomic<bool> & stop) {
    const auto started = clock::now();
    const int32_t limit = context_limit(*base, o);
    check_tokens(*base, o.prompt);
    const int64_t n_available = limit - int64_t(o.prompt.size());
    const int64_t n_wanted = o.max_tokens < 0 ? n_available : std::min<int64_t>(o.max_tokens, n_available);

    sampler sampling(*base, o.sampling);
    loaded_adapters adapters(base, o.adapters);
    // The cache holds what this call can need, not what the model allows.
    const int32_t n_ctx = int32_t(GGML_PAD(int64_t(o.prompt.size()) + n_wanted, 256));
    inference_context context(base, {n_ctx, std::max(o.batch_size, 1), o.n_threads}, &adapters, stop);

    generate_result result;
    result.prompt_tokens = int64_t(o.prompt.size());
    result.time_to_first_token_ms = NAN;
    const auto prompt_started = clock::now();
    context.decode_all(o.prompt.data(), o.prompt.size());
    result.prompt_ms = ms_since(prompt_started);
    sampling.accept_prompt(o.prompt);

    const llama_vocab * vocab = llama_model_get_vocab(base->handle());
    const bool has_text = llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_NONE;
    text_stream stream(o.stop);
    const auto show = [&](int32_t token, const std::string & text) {
        result.text += text;
        if (sink) sink({token, text});
    };
    const auto generation_started = clock::now();
    while (result.generated_tokens < n_wanted) {
        if (stop) throw error("ABORTED", "generation was aborted");
        const int32_t token = sampling.sample(context.handle());
        if (result.generated_tokens == 0 && std::isnan(result.time_to_first_token_ms))
            result.time_to_first_token_ms = ms_since(started);
        if (llama_vocab_is_eog(vocab, token) && (!o.sampling.ignore_eos || sampling.has_grammar())) {
            result.reason = finish_reason::eos;
            const std::string rest = stream.finish();
            if (!rest.empty()) show(token, rest);
            break;
        }
        result.tokens.push_back(token);
        result.generated_tokens++;
        std::string text = has_text ? stream.push(token_bytes(*base, token, false)) : std::string();
        const bool last = result.generated_tokens == n_wanted;
        if (last && !stream.stopped()) text += stream.finish();
        show(token, text);
        if (stream.stopped()) {
            result.reason = finish_reason::stop;
            break;
        }
        if (!last) context.decode(&result.tokens.back(), 1);
    }
    result.generation_ms = ms_since(generation_started);
    return result;
}

}
