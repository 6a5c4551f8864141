#include "harness.h"
#include "write-token-file.h"

#include "core/error.h"
#include "data/token-file.h"

#include <functional>

using namespace llamatune;
using namespace harness;

namespace {

std::vector<uint8_t> valid_bytes() {
    return token_file_bytes({counting_sample(10, 3), counting_sample(20, 2), counting_sample(30, 4)});
}

constexpr size_t at_n_samples = 16, at_n_tokens = 24, at_offsets = 32, at_tokens = 64, at_mask = 104;

// Opening the valid file after one change to its bytes.
void open_changed(const std::function<void(std::vector<uint8_t> &)> & change) {
    std::vector<uint8_t> bytes = valid_bytes();
    change(bytes);
    token_file::open(write_bytes("changed.tokens", bytes));
}

}

TEST("data/token-file: reads what was written") {
    const auto file = token_file::open(write_bytes("valid.tokens", valid_bytes()));
    CHECK_EQ(file->n_samples(), 3u);
    CHECK_EQ(file->n_tokens(), 9u);
    CHECK_EQ(file->n_target_tokens(), 6u);
    CHECK_EQ(file->max_token(), 33);
    const token_file::sample s = file->at(2);
    CHECK_EQ(s.n_tokens, 4u);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(s.tokens[i], 30 + i);
        CHECK_EQ((int)s.mask[i], i > 0 ? 1 : 0);
    }
    CHECK_EQ(file->at(1).tokens[0], 20);
}

TEST("data/token-file: a padded mask and no samples are fine") {
    std::vector<uint8_t> bytes = valid_bytes();
    while (bytes.size() % 8) bytes.push_back(0);
    CHECK_EQ(token_file::open(write_bytes("padded.tokens", bytes))->n_tokens(), 9u);
    const auto empty = token_file::open(write_token_file("no-samples.tokens", {}));
    CHECK_EQ(empty->n_samples(), 0u);
    CHECK_EQ(empty->max_token(), -1);
}

TEST("data/token-file: every inconsistency is an error") {
    const char * code = "TOKEN_FILE_INVALID";
    CHECK_ERROR(code, token_file::open(cache_directory() + "/data/missing.tokens"));
    CHECK_ERROR(code, token_file::open(cache_directory()));
    CHECK_ERROR(code, token_file::open(write_bytes("empty.tokens", {})));
    CHECK_ERROR(code, open_changed([](auto & b) { b.resize(20); }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[7] = '2'; }));
    CHECK_ERROR(code, open_changed([](auto & b) { std::swap(b[8], b[11]); }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[12] = 1; }));
    CHECK_ERROR(code, open_changed([](auto & b) { b.pop_back(); }));
    CHECK_ERROR(code, open_changed([](auto & b) { b.resize(b.size() + 8); }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_n_samples]++; }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_n_tokens]--; }));
    CHECK_ERROR(code, open_changed([](auto & b) {
                    for (int i = 0; i < 8; i++) b[at_n_samples + i] = 0xff;
                }));
    CHECK_ERROR(code, open_changed([](auto & b) {
                    for (int i = 0; i < 8; i++) b[at_n_tokens + i] = 0xff;
                }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_offsets] = 1; }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_offsets + 8] = 5; }));   // sample 1 without tokens
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_offsets + 8] = 7; }));   // sample 1 ends before it begins
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_offsets + 24] = 8; }));  // a token of no sample
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_offsets + 15] = 1; }));  // far outside
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_tokens + 3] = 0x80; })); // negative
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_mask] = 1; }));          // a loss on a first token
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_mask + 1] = 2; }));
}

TEST("data/token-file: the error says what was expected and received") {
    try {
        open_changed([](auto & b) { b.pop_back(); });
    } catch (const error & e) {
        CHECK(std::string(e.what()).find("113 bytes") != std::string::npos);
        CHECK(std::string(e.what()).find("112 bytes") != std::string::npos);
        CHECK(!e.hint().empty());
        return;
    }
    CHECK(!"an error");
}
