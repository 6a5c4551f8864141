#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

struct vocabulary_options {
    std::optional<std::string> from;  // a GGUF whose tokenizer is copied; the other fields are then unused
    std::string pre = "default";      // pre-tokenizer by llama.cpp's name, e.g. "qwen2"
    std::vector<std::string> tokens;  // byte-level BPE ("gpt2"), in its printable byte alphabet
    std::vector<int32_t> token_types; // GGUF's types, one per token: 1 normal, 3 control, 4 user defined
    std::vector<std::string> merges;  // "left right", best first
    std::optional<int32_t> bos_token;
    int32_t eos_token = 0;
    std::optional<int32_t> pad_token;
    bool add_bos = false;
};

template <class V>
void fields(V & v, vocabulary_options & o) {
    v("from", o.from);
    if (o.from) return;
    v("pre", o.pre);
    v("tokens", o.tokens);
    v("tokenTypes", o.token_types);
    v("merges", o.merges);
    v("bosToken", o.bos_token);
    v("eosToken", o.eos_token);
    v("padToken", o.pad_token);
    v("addBos", o.add_bos);
}

// A vocabulary of the tokens "t0", "t1", …, for models that are only given token ids.
vocabulary_options numbered_vocabulary(int64_t size);

struct create_options {
    std::string path;
    std::string architecture = "llama"; // "llama", "qwen3", "gemma3", "qwen3moe"
    std::string name;
    vocabulary_options vocabulary;
    std::string chat_template; // empty: the template of vocabulary.from, or none

    int64_t context_length = 2048;
    int64_t embedding_length = 256;
    int64_t layers = 4;
    int64_t heads = 4;
    int64_t kv_heads = 4;
    int64_t head_length = 64;
    int64_t feed_forward_length = 768;      // written but unused for a mixture of experts
    int64_t experts = 0;                    // per layer; 0 if the architecture has none
    int64_t used_experts = 0;               // per token
    int64_t expert_feed_forward_length = 0; // of each expert
    float rope_frequency_base = 10000.0f;
    bool tie_embeddings = false; // the output projection is the token embedding
    std::string type = "F32";    // of the matrices (see weight-type.h); norm weights stay F32

    float init_std = 0.02f;
    uint64_t seed = 42;
    int32_t n_threads = 0; // 0: all physical cores; does not change the weights
    // Draws the blocks of a matrix from a small quantized sample instead of quantizing all of its values: gigabytes per
    // second, for benchmarks.
    bool sampled_blocks = false;
};

template <class V>
void fields(V & v, create_options & o) {
    v("path", o.path);
    v("architecture", o.architecture);
    v("name", o.name);
    v("vocabulary", o.vocabulary);
    v("chatTemplate", o.chat_template);
    v("contextLength", o.context_length);
    v("embeddingLength", o.embedding_length);
    v("layers", o.layers);
    v("heads", o.heads);
    v("kvHeads", o.kv_heads);
    v("headLength", o.head_length);
    v("feedForwardLength", o.feed_forward_length);
    v("experts", o.experts);
    v("expertsPerToken", o.used_experts);
    v("expertFeedForwardLength", o.expert_feed_forward_length);
    v("ropeFrequencyBase", o.rope_frequency_base);
    v("tieEmbeddings", o.tie_embeddings);
    v("type", o.type);
    v("initStd", o.init_std);
    v("seed", o.seed);
    v("sampledBlocks", o.sampled_blocks);
}

// Writes a GGUF model with random initial weights, tensor by tensor, so that it may be larger than memory. Matrices are
// normal(0, init_std); matrices that write to the residual stream (attn_output, ffn_down) are normal(0,
// init_std/sqrt(2·layers)) as in GPT-2 (Radford et al. 2019, 2.3); norm weights are 1. The same options give the same
// bytes. Throws error ARGUMENT_INVALID, UNSUPPORTED_ARCHITECTURE, UNKNOWN_WEIGHT_TYPE, OUTPUT_CONFLICT,
// OUTPUT_NOT_WRITABLE, ABORTED, and the errors of gguf_reader for vocabulary.from.
void create_model(const create_options & options, const std::atomic<bool> * stop = nullptr);

}
