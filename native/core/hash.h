#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace llamatune {

// 64-bit FNV-1a for names and fingerprints; the result is the same on every platform.
inline uint64_t hash_text(const std::string & text) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : text) hash = (hash ^ uint8_t(c)) * 0x100000001b3ull;
    return hash;
}

inline std::string hexadecimal(uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
    return text;
}

// A 64-bit hash of bytes that arrive in pieces of any size. It finds damage and tells contents apart; it is not
// cryptographic. It takes eight bytes at a time, and so reads several GB a second.
class content_hash {
public:
    void add(const void * data, size_t bytes) {
        const auto * from = static_cast<const char *>(data);
        for (size_t n; bytes > 0; from += n, bytes -= n) {
            if (n_pending_ == 0 && bytes >= sizeof(uint64_t)) {
                n = sizeof(uint64_t);
                mix(from);
                continue;
            }
            n = std::min(bytes, sizeof(pending_) - n_pending_);
            std::memcpy(pending_ + n_pending_, from, n);
            n_pending_ += n;
            if (n_pending_ < sizeof(pending_)) continue;
            mix(pending_);
            n_pending_ = 0;
        }
    }

    uint64_t value() const {
        content_hash last = *this;
        std::memset(last.pending_ + n_pending_, 0, sizeof(pending_) - n_pending_);
        last.mix(last.pending_);
        last.hash_ ^= n_pending_;
        return last.hash_;
    }

private:
    void mix(const char * eight_bytes) {
        uint64_t word;
        std::memcpy(&word, eight_bytes, sizeof(word));
        hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15ull; // odd, so no step loses information
        hash_ ^= hash_ >> 32;
    }

    uint64_t hash_ = 0xcbf29ce484222325ull;
    char pending_[sizeof(uint64_t)] = {};
    size_t n_pending_ = 0;
};

}
