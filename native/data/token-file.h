#pragma once

#include "data/memory-map.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace llamatune {

// The prepared dataset: every sample's tokens and loss weights, memory-mapped. Written by src/data/token-file.ts in the
// machine's own byte order (the file is a local cache, never shipped), all parts 8-byte aligned:
//   char[8]  "LTTOKEN2"
//   u32      byte-order mark 0x01020304
//   u32      bytes per weight: 1 (u8, every weight is 0 or 1) or 4 (f32)
//   u64      n_samples
//   u64      n_tokens            (of all samples)
//   u64[n_samples + 1]  offsets  (in tokens; offsets[0] = 0, offsets[n_samples] = n_tokens)
//   i32[n_tokens]       tokens   (padded to 8 bytes)
//   u8 or f32[n_tokens] weights  (factor of the loss of predicting this token, 0: no loss; 0 for a sample's first
//                                 token; may be padded to 8 bytes)
class token_file {
public:
    // Checks the whole file, so that readers of samples need no checks. Throws error TOKEN_FILE_INVALID.
    static std::unique_ptr<token_file> open(const std::string & path);

    struct sample {
        const int32_t * tokens;
        size_t n_tokens;

        float weight(size_t i) const { return floats ? floats[i] : float(bytes[i]); }

        const uint8_t * bytes; // the weights, in one of two forms
        const float * floats;
    };

    size_t n_samples() const { return n_samples_; }
    size_t n_tokens() const { return n_tokens_; }
    // Tokens with a weight above 0.
    size_t n_target_tokens() const { return n_target_tokens_; }
    // The largest token id, -1 in an empty file: it must be below the model's vocabulary size.
    int32_t max_token() const { return max_token_; }
    // Of all samples with their tokens and weights.
    uint64_t hash() const;
    // Never empty. i < n_samples().
    sample at(size_t i) const;
    // Drops what was read from the resident memory, so that a large file takes no more than what is in use.
    void forget() const { map_->forget(); }

private:
    token_file() = default;
    void check_samples(const std::string & path);

    std::unique_ptr<memory_map> map_;
    const uint64_t * offsets_ = nullptr;
    const int32_t * tokens_ = nullptr;
    const uint8_t * bytes_ = nullptr; // the weights, in one of two forms
    const float * floats_ = nullptr;
    size_t n_samples_ = 0;
    size_t n_tokens_ = 0;
    size_t n_target_tokens_ = 0;
    int32_t max_token_ = -1;
};

}
