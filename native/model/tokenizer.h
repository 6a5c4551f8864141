#pragma once

#include "model/load.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

// The model's tokenizer. All functions are thread-safe.
// Errors: NO_TOKENIZER (the model has no vocabulary), TEXT_TOO_LONG, TOKEN_OUT_OF_RANGE.

// add_special: add the tokens that the model expects around a text (BOS, EOS); parse_special: text such as
// "<|im_start|>" becomes its control token instead of plain characters.
std::vector<int32_t> tokenize(const model & m, const std::string & text, bool add_special, bool parse_special);

// Returns the UTF-8 bytes of one token, which may be a part of a character; control tokens are empty unless `special`.
std::string token_bytes(const model & m, int32_t token, bool special);

std::string detokenize(const model & m, const std::vector<int32_t> & tokens, bool special);

// The number of tokens in the model's vocabulary: token ids are 0 … vocabulary_size - 1.
int32_t vocabulary_size(const model & m);

// Throws TOKEN_OUT_OF_RANGE, naming the position.
void check_tokens(const model & m, const std::vector<int32_t> & tokens);

}
