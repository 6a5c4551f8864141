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
    std::string description; // llama.cpp's own, e.g. "qwen3 0.6B Q8_0"
    uint64_t parameters;
    uint64_t bytes; // of all weights
    int64_t context_length;
    int64_t embedding_length;
    int64_t layers;
    int64_t vocabulary_size;
    std::optional<std::string> chat_template;
    std::optional<int32_t> bos_token, eos_token, eot_token;
    bool add_bos, add_eos;
    bool can_pack;                                    // several training samples may share a row
    std::map<std::string, int64_t> trainable_targets; // weight kind -> number of weights
    std::vector<tensor_info> tensors;
    std::map<std::string, std::string> metadata; // scalar values, as text
};

model_info describe(const model & m);

// False where recurrent state passes from token to token, and so from one sample of a row to the next.
bool can_pack(const model & m);

}
