#pragma once

#include "model/load.h"
#include "model/weights.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

struct model_info {
    std::string architecture;
    std::string name;
    std::string description; // by llama.cpp, e.g. "qwen3 0.6B Q8_0"
    uint64_t parameters;
    uint64_t bytes; // of all weights
    int64_t context_length;
    int64_t embedding_length;
    int64_t layers;
    int64_t vocabulary_size;
    std::optional<std::string> chat_template;
    std::optional<int32_t> bos_token, eos_token, eot_token;
    std::vector<int32_t> end_of_generation_tokens; // tokens at which generation stops
    bool add_bos, add_eos;
    bool can_pack;                                    // a row may hold several training samples
    std::map<std::string, int64_t> trainable_targets; // weight kind -> number of weights
    std::vector<tensor_info> tensors;
    std::map<std::string, std::string> metadata; // scalar values, as text
};

template <class V>
void fields(V & v, model_info & m) {
    v("architecture", m.architecture);
    v("name", m.name);
    v("description", m.description);
    v("parameters", m.parameters);
    v("bytes", m.bytes);
    v("contextLength", m.context_length);
    v("embeddingLength", m.embedding_length);
    v("layers", m.layers);
    v("vocabularySize", m.vocabulary_size);
    v("chatTemplate", m.chat_template);
    v("bosToken", m.bos_token);
    v("eosToken", m.eos_token);
    v("eotToken", m.eot_token);
    v("endOfGenerationTokens", m.end_of_generation_tokens);
    v("addBos", m.add_bos);
    v("addEos", m.add_eos);
    v("canPack", m.can_pack);
    v("trainableTargets", m.trainable_targets);
    v("tensors", m.tensors);
    v("metadata", m.metadata);
}

model_info describe(const model & m);

// Can several samples be packed into a row? Not if recurrent state would pass from one sample to the next.
bool can_pack(const model & m);

// Whether layers keep a state of the tokens before, which cannot be rewound to an earlier token.
bool has_recurrent_state(const model & m);

}
