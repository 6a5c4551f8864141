#pragma once

#include "generate/adapters.h"
#include "generate/context.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace llamatune {

struct score_options {
    std::string file;           // token file of the sequences and their weights
    int32_t context_length = 0; // most tokens of a sequence; 0: the model's training context
    int32_t batch_size = 512;   // tokens per forward pass
    int32_t n_threads = 0;      // 0: all physical cores
    flash_attention attention = flash_attention::automatic;
    bool per_token = false; // give the log-probability of every target
    std::vector<adapter_option> adapters;
    bool share_prefixes = true; // for tests: compute common beginnings of sequences once
};

template <class V>
void fields(V & v, score_options & o) {
    v("file", o.file);
    v("contextLength", o.context_length);
    v("batchSize", o.batch_size);
    v("threads", o.n_threads);
    v("flashAttention", o.attention);
    v("perToken", o.per_token);
    v("adapters", o.adapters);
}

// The scores of a sequence, sent as an event. A target is a token with a weight above 0.
struct sequence_score {
    int64_t index = 0; // in the file
    int64_t tokens = 0;
    int64_t targets = 0;
    int64_t correct = 0;                               // targets that are the most likely token
    double log_probability = 0;                        // sum of log p(target | tokens before it) in nats, not weighted
    double weight = 0;                                 // sum of the weights
    double loss = 0;                                   // weighted mean of -log p; NaN without targets
    std::optional<std::vector<int32_t>> target_tokens; // with per_token: the targets in their order,
    std::optional<std::vector<float>> target_log_probability; // and log p of each
};

template <class V>
void fields(V & v, sequence_score & s) {
    v.type("sequence");
    v("index", s.index);
    v("tokens", s.tokens);
    v("targets", s.targets);
    v("correct", s.correct);
    v("logProbability", s.log_probability);
    v("weight", s.weight);
    v("loss", s.loss);
    v("targetTokens", s.target_tokens);
    v("targetLogProbabilities", s.target_log_probability);
}

// Sent after every group of sequences.
struct score_progress {
    int64_t sequences, total_sequences;
    int64_t tokens, total_tokens;
    double eta_ms; // from the mean speed so far
};

template <class V>
void fields(V & v, score_progress & p) {
    v.type("progress");
    v("sequences", p.sequences);
    v("totalSequences", p.total_sequences);
    v("tokens", p.tokens);
    v("totalTokens", p.total_tokens);
    v("etaMs", p.eta_ms);
}

// Sums over all sequences.
struct score_totals {
    int64_t tokens = 0;
    int64_t computed_tokens = 0; // in forward passes: without shared beginnings and what follows the last target
    int64_t targets = 0;
    int64_t correct = 0;
    double log_probability = 0;
    double loss = 0; // weighted mean over all targets, as training's evaluation; NaN without targets
    std::optional<bool> flash_attention; // whether it was used; empty if nothing was computed
    double ms = 0;                       // without loading the model
};

template <class V>
void fields(V & v, score_totals & t) {
    v("tokens", t.tokens);
    v("computedTokens", t.computed_tokens);
    v("targets", t.targets);
    v("correct", t.correct);
    v("logProbability", t.log_probability);
    v("loss", t.loss);
    v("flashAttention", t.flash_attention);
    v("totalMs", t.ms);
}

using score_event = std::variant<sequence_score, score_progress>;
using score_sink = std::function<void(const score_event &)>;

// Computes how likely a model finds the target tokens of sequences, on the calling thread in a new context. Only
// positions that predict a target get logits, and those of a limited number at a time. Sequences end in any order.
//
// Throws error TOKEN_FILE_INVALID, TOKEN_OUT_OF_RANGE, SAMPLE_TOO_LONG, ADAPTER_*, UNSUPPORTED_ARCHITECTURE,
// FLASH_ATTENTION_UNSUPPORTED, OUT_OF_MEMORY, NON_FINITE_LOGITS, GENERATION_FAILED, NATIVE_ASSERTION, ABORTED.
score_totals score(const std::shared_ptr<model> & base, const score_options & options, const score_sink & sink,
                   const std::atomic<bool> & stop);

}
