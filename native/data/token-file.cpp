#include "data/token-file.h"

#include "core/error.h"
#include "core/hash.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace llamatune {

namespace {

constexpr char magic[8] = {'L', 'T', 'T', 'O', 'K', 'E', 'N', '2'};
constexpr uint32_t byte_order_mark = 0x01020304u;

constexpr uint64_t read_window = 1 << 20; // tokens that stay in memory while the whole file is read

struct header {
    char magic[8];
    uint32_t byte_order;
    uint32_t bytes_per_weight;
    uint64_t n_samples;
    uint64_t n_tokens;
};
static_assert(sizeof(header) == 32, "the header has the file's layout");

[[noreturn]] void fail(const std::string & path, const std::string & reason) {
    throw error("TOKEN_FILE_INVALID", "the token file '" + path + "' is invalid: " + reason,
                "prepare the dataset again");
}

std::string number(uint64_t n) { return std::to_string(n); }

uint64_t pad_to_8(uint64_t n) { return (n + 7) & ~uint64_t(7); }

header check_header(const memory_map & map, const std::string & path) {
    header h{};
    if (map.size() < sizeof(h)) {
        fail(path, "it has " + number(map.size()) + " bytes, fewer than the header's " + number(sizeof(h)));
    }
    std::memcpy(&h, map.data(), sizeof(h));
    if (std::memcmp(h.magic, magic, sizeof(magic)) != 0) { fail(path, "it does not start with 'LTTOKEN2'"); }
    if (h.byte_order != byte_order_mark) {
        fail(path, "its byte-order mark is " + number(h.byte_order) + " instead of " + number(byte_order_mark));
    }
    if (h.bytes_per_weight != 1 && h.bytes_per_weight != sizeof(float)) {
        fail(path, "it has " + number(h.bytes_per_weight) + " bytes per weight instead of 1 or 4");
    }
    // Check the counts against the file's size first, so that the sums below cannot overflow.
    if (h.n_samples > map.size() / sizeof(uint64_t) || h.n_tokens > map.size() / sizeof(int32_t)) {
        fail(path, "its " + number(map.size()) + " bytes cannot hold " + number(h.n_samples) + " samples and " +
                       number(h.n_tokens) + " tokens");
    }
    const uint64_t expected = sizeof(h) + (h.n_samples + 1) * sizeof(uint64_t) +
                              pad_to_8(h.n_tokens * sizeof(int32_t)) + h.n_tokens * h.bytes_per_weight;
    if (map.size() != expected && map.size() != pad_to_8(expected)) {
        fail(path, "it has " + number(map.size()) + " bytes instead of " + number(expected) + " bytes for " +
                       number(h.n_samples) + " samples and " + number(h.n_tokens) + " tokens");
    }
    return h;
}

}

std::unique_ptr<token_file> token_file::open(const std::string & path) {
    std::unique_ptr<token_file> file(new token_file());
    file->map_ = memory_map::open(path);
    const header h = check_header(*file->map_, path);
    const uint8_t * data = file->map_->data();
    file->n_samples_ = (size_t)h.n_samples;
    file->n_tokens_ = (size_t)h.n_tokens;
    file->offsets_ = reinterpret_cast<const uint64_t *>(data + sizeof(header));
    file->tokens_ = reinterpret_cast<const int32_t *>(file->offsets_ + h.n_samples + 1);
    const uint8_t * weights = reinterpret_cast<const uint8_t *>(file->tokens_) + pad_to_8(h.n_tokens * sizeof(int32_t));
    if (h.bytes_per_weight == 1) {
        file->bytes_ = weights;
    } else {
        file->floats_ = reinterpret_cast<const float *>(weights);
    }
    file->check_samples(path);
    return file;
}

void token_file::check_samples(const std::string & path) {
    if (n_samples_ > UINT32_MAX) {
        fail(path, "it has " + number(n_samples_) + " samples, more than " + number(UINT32_MAX));
    }
    if (offsets_[0] != 0) { fail(path, "sample 0 starts at token " + number(offsets_[0]) + " instead of 0"); }
    uint64_t forgotten = 0;
    for (size_t i = 0; i < n_samples_; i++) {
        if (offsets_[i] >= forgotten + read_window) {
            forget();
            forgotten = offsets_[i];
        }
        if (offsets_[i + 1] <= offsets_[i] || offsets_[i + 1] > n_tokens_) {
            fail(path, "sample " + number(i) + " starts at token " + number(offsets_[i]) + " and ends at token " +
                           number(offsets_[i + 1]) + " of " + number(n_tokens_));
        }
        const sample s = at(i);
        if (s.weight(0) != 0) {
            fail(path, "the first token of sample " + number(i) + " has the weight " + std::to_string(s.weight(0)) +
                           " instead of 0");
        }
        for (size_t t = 0; t < s.n_tokens; t++) {
            if (s.tokens[t] < 0) {
                fail(path, "sample " + number(i) + " has the negative token id " + std::to_string(s.tokens[t]));
            }
            const float weight = s.weight(t);
            if (!(weight >= 0) || !std::isfinite(weight) || (bytes_ && weight > 1)) {
                fail(path, "sample " + number(i) + " has the weight " + std::to_string(weight) +
                               (bytes_ ? ", which is not 0 or 1" : ", which is negative or not finite"));
            }
            max_token_ = std::max(max_token_, s.tokens[t]);
            n_target_tokens_ += weight > 0;
        }
    }
    if (offsets_[n_samples_] != n_tokens_) {
        fail(path, "the last sample ends at token " + number(offsets_[n_samples_]) + " of " + number(n_tokens_));
    }
    forget();
}

uint64_t token_file::hash() const {
    content_hash hash;
    uint64_t read = 0; // tokens since the last forget()
    for (size_t i = 0; i < n_samples_; i++) {
        const sample s = at(i);
        hash.add(&s.n_tokens, sizeof(s.n_tokens));
        hash.add(s.tokens, s.n_tokens * sizeof(*s.tokens));
        if (s.floats)
            hash.add(s.floats, s.n_tokens * sizeof(*s.floats));
        else
            hash.add(s.bytes, s.n_tokens);
        read += s.n_tokens;
        if (read < read_window) continue;
        forget();
        read = 0;
    }
    forget();
    return hash.value();
}

token_file::sample token_file::at(size_t i) const {
    const uint64_t begin = offsets_[i];
    return {tokens_ + begin, size_t(offsets_[i + 1] - begin), bytes_ ? bytes_ + begin : nullptr,
            floats_ ? floats_ + begin : nullptr};
}

}
