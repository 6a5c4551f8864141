#include "model/tokenizer.h"

#include "core/error.h"

#include <llama.h>

#include <limits>

namespace llamatune {

namespace {

const llama_vocab * vocabulary(const model & m) {
    const llama_vocab * vocab = llama_model_get_vocab(m.handle());
    if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_NONE) {
        throw error("NO_TOKENIZER", "'" + m.options().path + "' has no tokenizer",
                    "pass token ids, or use a GGUF that was converted with its vocabulary");
    }
    return vocab;
}

int32_t int32_size(size_t n, const char * what) {
    if (n > size_t(std::numeric_limits<int32_t>::max())) {
        throw error("TEXT_TOO_LONG", std::to_string(n) + " " + what + " are too many: the limit is 2^31");
    }
    return int32_t(n);
}

void check_token(int32_t token, int32_t n_vocab, size_t position) {
    if (token >= 0 && token < n_vocab) return;
    throw error("TOKEN_OUT_OF_RANGE", "expected token ids from 0 to " + std::to_string(n_vocab - 1) + " but received " +
                                          std::to_string(token) + " at position " + std::to_string(position));
}

}

std::vector<int32_t> tokenize(const model & m, const std::string & text, bool add_special, bool parse_special) {
    const llama_vocab * vocab = vocabulary(m);
    const int32_t n_bytes = int32_size(text.size(), "bytes of text");
    // A text rarely has more than one token per two bytes. If the buffer is too short, llama.cpp returns minus the
    // size.
    std::vector<int32_t> tokens(text.size() / 2 + 16);
    for (;;) {
        const int32_t n = llama_tokenize(vocab, text.data(), n_bytes, tokens.data(), int32_t(tokens.size()),
                                         add_special, parse_special);
        if (n == std::numeric_limits<int32_t>::min())
            throw error("TEXT_TOO_LONG", "the text has more than 2^31 tokens");
        if (n >= 0) {
            tokens.resize(size_t(n));
            return tokens;
        }
        tokens.resize(size_t(-int64_t(n)));
    }
}

std::string token_bytes(const model & m, int32_t token, bool special) {
    const llama_vocab * vocab = vocabulary(m);
    check_token(token, llama_vocab_n_tokens(vocab), 0);
    std::string bytes(64, '\0');
    int32_t n = llama_token_to_piece(vocab, token, bytes.data(), int32_t(bytes.size()), 0, special);
    if (n < 0) {
        bytes.resize(size_t(-int64_t(n)));
        n = llama_token_to_piece(vocab, token, bytes.data(), int32_t(bytes.size()), 0, special);
    }
    bytes.resize(n > 0 ? size_t(n) : 0);
    return bytes;
}

std::string detokenize(const model & m, const std::vector<int32_t> & tokens, bool special) {
    const llama_vocab * vocab = vocabulary(m);
    check_tokens(m, tokens);
    const int32_t n_tokens = int32_size(tokens.size(), "tokens");
    std::string text(tokens.size() * 8 + 16, '\0');
    for (;;) {
        const int32_t n = llama_detokenize(vocab, tokens.data(), n_tokens, text.data(),
                                           int32_size(text.size(), "bytes"), false, special);
        if (n >= 0) {
            text.resize(size_t(n));
            return text;
        }
        text.resize(size_t(-int64_t(n)));
    }
}

int32_t vocabulary_size(const model & m) { return llama_vocab_n_tokens(llama_model_get_vocab(m.handle())); }

void check_tokens(const model & m, const std::vector<int32_t> & tokens) {
    const int32_t n_vocab = vocabulary_size(m);
    for (size_t i = 0; i < tokens.size(); i++) check_token(tokens[i], n_vocab, i);
}

}
