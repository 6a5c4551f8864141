#include "generate/sampler.h"

#include "core/error.h"
#include "core/log.h"
#include "generate/grammar.h"

#include <llama.h>

#include <algorithm>
#include <cmath>

namespace llamatune {

namespace {

std::vector<llama_logit_bias> banned_tokens(const llama_vocab * vocab, bool ignore_eos) {
    std::vector<llama_logit_bias> biases;
    int32_t n_suppressed = 0; // by the model's metadata
    const llama_token * suppressed = llama_vocab_get_suppress_tokens(vocab, &n_suppressed);
    for (int32_t i = 0; i < n_suppressed; i++) biases.push_back({suppressed[i], -INFINITY});
    if (ignore_eos) {
        for (llama_token t = 0; t < llama_vocab_n_tokens(vocab); t++) {
            if (llama_vocab_is_eog(vocab, t)) biases.push_back({t, -INFINITY});
        }
    }
    return biases;
}

// Folds a seed into llama.cpp's 32 bits, whose highest value would mean a seed from the clock.
uint32_t fold_seed(uint64_t seed) {
    const uint32_t folded = uint32_t(seed ^ (seed >> 32));
    return folded == LLAMA_DEFAULT_SEED ? folded - 1 : folded;
}

// How many of the highest logits decide which token is drawn; 0: all. A penalty above 1 lowers at most the last
// `repeat_last_n` tokens, so that the best of the others are among that many more.
size_t needed_candidates(const sampling_options & o, int32_t n_vocab) {
    const bool penalized = o.repeat_penalty != 1.0f && o.repeat_last_n > 0;
    const int64_t best = o.temperature <= 0.0f ? 1 : o.top_k;
    if (best == 0 || (penalized && o.repeat_penalty < 1.0f)) return 0;
    const int64_t needed = best + (penalized ? o.repeat_last_n : 0);
    return needed < n_vocab / 8 ? size_t(needed) : 0;
}

constexpr int32_t lanes = 16; // of the loops over all logits

float highest_of(const float * logits) {
    float highest = logits[0];
    for (int32_t i = 1; i < lanes; i++) highest = logits[i] > highest ? logits[i] : highest;
    return highest;
}

}

struct sampler::candidates {
    std::vector<llama_token_data> data;
};

void sampler::deleter::operator()(llama_sampler * s) const { llama_sampler_free(s); }

sampler::sampler(const model & m, const sampling_options & o)
    : n_vocab_(llama_vocab_n_tokens(llama_model_get_vocab(m.handle()))),
      greedy_(o.temperature <= 0.0f && (o.repeat_penalty == 1.0f || o.repeat_last_n <= 0)),
      repeat_last_n_(std::max(o.repeat_last_n, 0)), n_candidates_(needed_candidates(o, n_vocab_)),
      candidates_(std::make_shared<candidates>()) {
    const llama_vocab * vocab = llama_model_get_vocab(m.handle());
    llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf = true;
    chain_.reset(llama_sampler_chain_init(params));
    const auto add = [&](llama_sampler * s) { llama_sampler_chain_add(chain_.get(), s); };

    // A grammar ends with an end-of-generation token: it must stay possible.
    const auto banned = banned_tokens(vocab, o.ignore_eos && !o.grammar);
    for (const llama_logit_bias & bias : banned) banned_.push_back(bias.token);
    std::sort(banned_.begin(), banned_.end());
    if (!banned.empty()) add(llama_sampler_init_logit_bias(n_vocab_, int32_t(banned.size()), banned.data()));
    if (o.repeat_penalty != 1.0f && repeat_last_n_ > 0)
        add(llama_sampler_init_penalties(n_vocab_, repeat_last_n_, o.repeat_penalty, 0.0f, 0.0f));
    if (o.temperature <= 0.0f) {
        add(llama_sampler_init_greedy());
    } else {
        if (o.top_k > 0) add(llama_sampler_init_top_k(o.top_k));
        if (o.top_p < 1.0f) add(llama_sampler_init_top_p(o.top_p, 1));
        if (o.min_p > 0.0f) add(llama_sampler_init_min_p(o.min_p, 1));
        add(llama_sampler_init_temp(o.temperature));
        add(llama_sampler_init_dist(fold_seed(o.seed)));
    }
    if (o.grammar) {
        check_grammar(vocab, *o.grammar);
        take_recent_errors();
        grammar_.reset(llama_sampler_init_grammar(vocab, o.grammar->c_str(), "root"));
        if (!grammar_) throw error("GRAMMAR_INVALID", "llama.cpp cannot use this grammar: " + take_recent_errors());
    }
}

void sampler::accept_prompt(const std::vector<int32_t> & tokens) {
    const size_t first = tokens.size() - std::min(tokens.size(), size_t(repeat_last_n_));
    for (size_t i = first; i < tokens.size(); i++) llama_sampler_accept(chain_.get(), tokens[i]);
}

// Returns the token of the highest logit, or -1 if it is banned. This avoids the list of all candidates that
// llama.cpp's samplers need.
int32_t sampler::most_likely(const float * logits) const {
    float highest[lanes];
    std::fill_n(highest, lanes, -INFINITY);
    int32_t t = 0;
    for (; t + lanes <= n_vocab_; t += lanes) {
        for (int32_t i = 0; i < lanes; i++) highest[i] = logits[t + i] > highest[i] ? logits[t + i] : highest[i];
    }
    for (; t < n_vocab_; t++) highest[0] = logits[t] > highest[0] ? logits[t] : highest[0];
    const float best = *std::max_element(highest, highest + lanes);
    const float * found = std::find(logits, logits + n_vocab_, best); // not found if all are NaN
    const int32_t token = found == logits + n_vocab_ ? 0 : int32_t(found - logits);
    return is_banned(token) ? -1 : token;
}

bool sampler::is_banned(int32_t token) const { return std::binary_search(banned_.begin(), banned_.end(), token); }

// Lists the tokens that the chain can choose from: the highest logits in descending order, or all in the vocabulary's.
// Sorting the whole vocabulary for each token would take a millisecond.
void sampler::list_candidates(const float * logits, bool all) {
    auto & data = candidates_->data;
    if (all || n_candidates_ == 0) {
        data.resize(size_t(n_vocab_));
        for (int32_t t = 0; t < n_vocab_; t++) data[size_t(t)] = {t, logits[t], 0.0f};
        return;
    }
    const auto higher = [](const llama_token_data & a, const llama_token_data & b) {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    };
    data.clear(); // a heap with the lowest logit in front
    const auto consider = [&](int32_t t) {
        const llama_token_data one = {t, logits[t], 0.0f};
        const bool full = data.size() == n_candidates_;
        if (!(one.logit > -INFINITY) || (full && !higher(one, data.front())) || is_banned(t)) return;
        if (full) {
            std::pop_heap(data.begin(), data.end(), higher);
            data.pop_back();
        }
        data.push_back(one);
        std::push_heap(data.begin(), data.end(), higher);
    };
    int32_t t = 0;
    for (; t + lanes <= n_vocab_; t += lanes) {
        // NaN is never higher; in the first lane it hides the other lanes, but such logits are useless anyway.
        if (data.size() == n_candidates_ && !(highest_of(logits + t) > data.front().logit)) continue;
        for (int32_t i = 0; i < lanes; i++) consider(t + i);
    }
    for (; t < n_vocab_; t++) consider(t);
    std::sort_heap(data.begin(), data.end(), higher);
}

// Returns -1 if no token can be chosen.
int32_t sampler::draw(const float * logits, bool constrained) {
    if (greedy_ && !constrained) {
        const int32_t token = most_likely(logits);
        if (token >= 0) return token;
    }
    list_candidates(logits, constrained);
    auto & data = candidates_->data;
    if (data.empty()) return -1;
    llama_token_data_array all = {data.data(), data.size(), -1, !constrained && n_candidates_ > 0};
    if (constrained) {
        llama_sampler_apply(grammar_.get(), &all);
        const bool any =
            std::any_of(data.begin(), data.end(), [](const llama_token_data & d) { return d.logit != -INFINITY; });
        if (!any) return -1;
    }
    llama_sampler_apply(chain_.get(), &all);
    return all.selected >= 0 && size_t(all.selected) < all.size ? all.data[all.selected].id : -1;
}

int32_t sampler::sample(const float * logits) {
    int32_t token = draw(logits, false);
    if (token < 0 || !std::isfinite(logits[token])) {
        throw error(
            "NON_FINITE_LOGITS",
            token < 0
                ? "the model computed no logit that can be sampled"
                : std::string("the model computed logits that are ") + (std::isnan(logits[token]) ? "NaN" : "infinite"),
            "the weights or an adapter have values that are not finite, or the adapter's scale is far too large");
    }
    if (grammar_) {
        llama_token_data one = {token, 1.0f, 0.0f};
        llama_token_data_array single = {&one, 1, -1, false};
        llama_sampler_apply(grammar_.get(), &single);
        if (one.logit == -INFINITY) token = draw(logits, true);
        if (token < 0) {
            throw error(
                "GRAMMAR_STUCK", "no token of the vocabulary continues the grammar",
                "the vocabulary must have an end-of-generation token and a token for every character of the grammar");
        }
        llama_sampler_accept(grammar_.get(), token);
    }
    llama_sampler_accept(chain_.get(), token);
    return token;
}

}
