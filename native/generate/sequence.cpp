#include "generate/sequence.h"

#include "core/error.h"
#include "model/tokenizer.h"

#include <llama.h>

#include <algorithm>
#include <cmath>

namespace llamatune {

namespace {

int64_t context_limit(const model & m, const generate_options & o) {
    return o.context_length > 0 ? o.context_length : llama_model_n_ctx_train(m.handle());
}

double ms_since(sequence::clock::time_point start) {
    return std::chrono::duration<double, std::milli>(sequence::clock::now() - start).count();
}

sampling_options sampling_of(const generate_options & o, uint64_t seed, int64_t context) {
    sampling_options own = o.sampling;
    own.seed = seed;
    if (own.repeat_last_n < 0) own.repeat_last_n = int32_t(context);
    return own;
}

}

void check_prompt(const model & m, const generate_options & o, const std::vector<int32_t> & tokens) {
    if (tokens.empty()) throw error("PROMPT_EMPTY", "the prompt is empty", "start with the BOS token, or with text");
    const int64_t limit = context_limit(m, o);
    if (int64_t(tokens.size()) >= limit) {
        throw error("PROMPT_TOO_LONG",
                    "the prompt has " + std::to_string(tokens.size()) +
                        " tokens and does not fit into the context of " + std::to_string(limit) + " tokens",
                    o.context_length > 0 ? "shorten the prompt or raise contextLength"
                                         : "shorten the prompt: this is the context length of the model");
    }
    check_tokens(m, tokens);
}

int64_t needed_context(const model & m, const generate_options & o, size_t prompt_length) {
    const int64_t limit = context_limit(m, o);
    return o.max_tokens < 0 ? limit : std::min(limit, int64_t(prompt_length) + o.max_tokens);
}

sequence::sequence(const model & m, const generate_options & o, std::shared_ptr<const prompt> p, int32_t sample_index,
                   clock::time_point call_started)
    : model_(m), prompt_(std::move(p)),
      n_wanted_(needed_context(m, o, prompt_->tokens.size()) - int64_t(prompt_->tokens.size())),
      sampling_(m, sampling_of(o, prompt_->seeds[size_t(sample_index)], needed_context(m, o, prompt_->tokens.size()))),
      ignore_eos_(o.sampling.ignore_eos && !sampling_.has_grammar()), stream_(o.stop), call_started_(call_started) {
    result_.prompt_index = prompt_->index;
    result_.sample_index = sample_index;
    result_.seed = prompt_->seeds[size_t(sample_index)];
    result_.prompt_tokens = int64_t(prompt_->tokens.size());
    result_.time_to_first_token_ms = NAN;
}

void sequence::prompt_computed(int64_t shared_tokens, double ms) {
    sampling_.accept_prompt(prompt_->tokens);
    result_.shared_prompt_tokens = shared_tokens;
    result_.prompt_ms = ms;
    generation_started_ = clock::now();
}

void sequence::show(int32_t token, const std::string & text, const generation_sink & sink) {
    result_.text += text;
    if (sink) sink(token_event{result_.prompt_index, result_.sample_index, token, text});
}

bool sequence::end(finish_reason reason) {
    result_.reason = reason;
    result_.generation_ms = ms_since(generation_started_);
    return false;
}

bool sequence::draw(const float * logits, const generation_sink & sink) {
    if (n_wanted_ == 0) return end(finish_reason::length);
    const llama_vocab * vocab = llama_model_get_vocab(model_.handle());
    const int32_t token = sampling_.sample(logits);
    if (std::isnan(result_.time_to_first_token_ms)) result_.time_to_first_token_ms = ms_since(call_started_);
    if (llama_vocab_is_eog(vocab, token) && !ignore_eos_) {
        const std::string rest = stream_.finish();
        if (!rest.empty()) show(token, rest, sink);
        return end(finish_reason::eos);
    }
    result_.tokens.push_back(token);
    const bool is_last = ++result_.generated_tokens == n_wanted_;
    const bool has_text = llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_NONE;
    std::string text = has_text ? stream_.push(token_bytes(model_, token, false)) : std::string();
    if (is_last && !stream_.stopped()) text += stream_.finish();
    show(token, text, sink);
    if (stream_.stopped()) return end(finish_reason::stop);
    return is_last ? end(finish_reason::length) : true;
}

void sequence::fail(const sequence_error & failure) {
    result_.failure = failure;
    end(finish_reason::error);
}

void sequence::cancel() { end(finish_reason::cancelled); }

}
