#pragma once

#include "core/enum-names.h"
#include "generate/adapters.h"
#include "generate/context.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace llamatune {

// How the hidden states of a text's tokens become one vector.
enum class pooling { automatic, mean, first, last };

inline constexpr enum_name<pooling> pooling_names[] = {
    {pooling::automatic, "auto"}, {pooling::mean, "mean"}, {pooling::first, "cls"}, {pooling::last, "last"}};
constexpr auto & names_of(pooling) { return pooling_names; }

struct embed_options {
    std::vector<std::vector<int32_t>> texts; // tokens
    pooling how = pooling::automatic;        // automatic: as the model's metadata says, else the mean
    bool normalize = true;                   // to length 1
    int32_t batch_size = 512;                // most tokens per forward pass
    int32_t n_threads = 0;                   // 0: all physical cores
    flash_attention attention = flash_attention::automatic;
    std::vector<adapter_option> adapters;
};

template <class V>
void fields(V & v, embed_options & o) {
    v("texts", o.texts);
    v("pooling", o.how);
    v("normalize", o.normalize);
    v("batchSize", o.batch_size);
    v("threads", o.n_threads);
    v("flashAttention", o.attention);
    v("adapters", o.adapters);
}

struct text_embedding {
    int64_t index;
    std::vector<float> values; // [n_embd]
};

template <class V>
void fields(V & v, text_embedding & e) {
    v.type("embedding");
    v("index", e.index);
    v("values", e.values);
}

struct embed_totals {
    int64_t tokens = 0;
    int64_t dimensions = 0;
    pooling how = pooling::automatic; // the one that was used
    bool flash_attention = false;     // whether it was used
    double ms = 0;                    // without loading the model
};

template <class V>
void fields(V & v, embed_totals & t) {
    v("tokens", t.tokens);
    v("dimensions", t.dimensions);
    v("pooling", t.how);
    v("flashAttention", t.flash_attention);
    v("totalMs", t.ms);
}

using embedding_sink = std::function<void(const text_embedding &)>;

// Computes a vector for each text, on the calling thread in a new context: the model's last hidden states after the
// final norm, pooled over the text's tokens. Texts end in their order.
//
// Throws error TEXT_EMPTY, TEXT_TOO_LONG, TOKEN_OUT_OF_RANGE, POOLING_UNSUPPORTED, ADAPTER_*, UNSUPPORTED_ARCHITECTURE,
// FLASH_ATTENTION_UNSUPPORTED, OUT_OF_MEMORY, NON_FINITE_EMBEDDING, GENERATION_FAILED, NATIVE_ASSERTION, ABORTED.
embed_totals embed(const std::shared_ptr<model> & base, const embed_options & options, const embedding_sink & sink,
                   const std::atomic<bool> & stop);

}
