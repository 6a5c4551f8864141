#include "token-file-bytes.h"

#include <cstring>
#include <string>

namespace harness {

namespace {

template <typename T>
void put(std::vector<uint8_t> & bytes, T value) {
    uint8_t raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes.insert(bytes.end(), raw, raw + sizeof(T));
}

bool has_fractions(const std::vector<token_sample> & samples) {
    for (const token_sample & s : samples) {
        for (const float weight : s.weights) {
            if (weight != 0 && weight != 1) return true;
        }
    }
    return false;
}

}

token_sample counting_sample(int32_t first, size_t n) {
    token_sample s;
    for (size_t i = 0; i < n; i++) {
        s.tokens.push_back(first + (int32_t)i);
        s.weights.push_back(i > 0);
    }
    return s;
}

std::vector<uint8_t> token_file_bytes(const std::vector<token_sample> & samples) {
    std::vector<uint8_t> bytes;
    for (const char c : std::string("LTTOKEN2")) put(bytes, c);
    uint64_t n_tokens = 0;
    for (const token_sample & s : samples) n_tokens += s.tokens.size();
    put<uint32_t>(bytes, 0x01020304);
    const bool floats = has_fractions(samples);
    put<uint32_t>(bytes, floats ? 4 : 1);
    put<uint64_t>(bytes, samples.size());
    put<uint64_t>(bytes, n_tokens);
    uint64_t offset = 0;
    put(bytes, offset);
    for (const token_sample & s : samples) put(bytes, offset += s.tokens.size());
    for (const token_sample & s : samples)
        for (const int32_t t : s.tokens) put(bytes, t);
    while (bytes.size() % 8) bytes.push_back(0);
    for (const token_sample & s : samples) {
        for (const float weight : s.weights) {
            if (floats) {
                put(bytes, weight);
            } else {
                put(bytes, uint8_t(weight));
            }
        }
    }
    return bytes;
}

}
