#pragma once

#include "model/load.h"

#include <cstdint>
#include <string>

namespace llamatune {

// FNV-1a, 64 bits: for names and fingerprints, the same on every platform.
uint64_t hash_text(const std::string & text);

// What an adapter remembers of its base model.
struct base_fingerprint {
    std::string architecture; // "llama"
    std::string name;         // general.name, may be empty
    uint32_t embedding_length;
    uint32_t block_count;
    std::string shapes; // hash of all tensor names and shapes, hexadecimal: the same for every quantization
    std::string types;  // hash of all tensor names and types, hexadecimal
};

base_fingerprint fingerprint_of(const model & base);

}
