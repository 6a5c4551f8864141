#pragma once

#include <cstdint>
#include <string>

namespace llamatune {

// 64-bit FNV-1a for names and fingerprints; the result is the same on every platform.
inline uint64_t hash_text(const std::string & text) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : text) hash = (hash ^ uint8_t(c)) * 0x100000001b3ull;
    return hash;
}

}
