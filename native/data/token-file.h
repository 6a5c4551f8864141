#pragma once

#include "data/memory-map.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace llamatune {

// The prepared dataset: every sample's tokens and loss mask, memory-mapped. Written by src/data/token-file.ts in the
// machine's own byte order (the file is a local cache, never shipped), all parts 8-byte aligned:
//   char[8]  "LTTOKEN1"
//   u32      byte-order mark 0x01020304
//   u32      reserved, 0
//   u64      n_samples
//   u64      n_tokens            (of all samples)
//   u64[n_samples + 1]  offsets  (in tokens; offsets[0] = 0, offsets[n_samples] = n_tokens)
//   i32[n_tokens]       tokens   (padded to 8 bytes)
//   u8 [n_tokens]       mask     (1: predicting this token carries a loss; a sample's first token never does;
//                                 may be padded to 8 bytes)
class token_file {
public:
    // Checks the whole file, so that whoever reads samples need not. Throws error TOKEN_FILE_INVALID.
    static std::unique_ptr<token_file> open(const std::string & path);

    struct sample {
        const int32_t * tokens;
        const uint8_t * mask;
        size_t n_tokens;
    };

    size_t n_samples() const { return n_samples_; }
    size_t n_tokens() const { return n_tokens_; }
    size_t n_target_tokens() const { return n_target_tokens_; }
    // The largest token id, -1 in an empty file: it must be below the model's vocabulary size.
    int32_t max_token() const { return max_token_; }
    // Never empty. i < n_samples().
    sample at(size_t i) const;
    // Samples that were read leave the resident memory: of a large file no more stays than what is in use.
    void forget() const { map_->forget(); }

private:
    token_file() = default;
    void check_samples(const std::string & path);

    std::unique_ptr<memory_map> map_;
    const uint64_t * offsets_ = nullptr;
    const int32_t * tokens_ = nullptr;
    const uint8_t * mask_ = nullptr;
    size_t n_samples_ = 0;
    size_t n_tokens_ = 0;
    size_t n_target_tokens_ = 0;
    int32_t max_token_ = -1;
};

}
