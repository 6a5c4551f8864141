#pragma once

#include "model/load.h"

#include <cstdint>
#include <string>

namespace llamatune {

// Identifies a base model independently of its quantization.
struct base_fingerprint {
    std::string architecture; // "llama"
    std::string name;         // general.name, may be empty
    uint32_t embedding_length;
    uint32_t block_count;
    std::string shapes; // hash of all tensor names and shapes, hexadecimal
};

base_fingerprint fingerprint_of(const model & base);

}
