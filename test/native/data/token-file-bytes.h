#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace harness {

struct token_sample {
    std::vector<int32_t> tokens;
    std::vector<float> weights;
};

// Makes a sample of n consecutive tokens from `first` on; every token except the first carries a loss.
token_sample counting_sample(int32_t first, size_t n);

// The bytes of a token file, written as native/data/token-file.h describes them.
std::vector<uint8_t> token_file_bytes(const std::vector<token_sample> & samples);

}
