#include "harness.h"
#include "write-token-file.h"

#include "core/error.h"
#include "data/token-file.h"

#include <cmath>
#include <functional>

using namespace llamatune;
using namespace harness;

namespace {

std::vector<uint8_t> valid_bytes() {
    return token_file_bytes({counting_sample(10, 3), counting_sample(20, 2), counting_sample(30, 4)});
}

constexpr size_t at_n_samples = 16, at_n_tokens = 24, at_offsets = 32, at_tokens = 64, at_weights = 104;

// Opens the valid file after a change to its bytes.
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
        CHECK_EQ(s.weight(size_t(i)), i > 0 ? 1.0f : 0.0f);
    }
    CHECK_EQ(file->at(1).tokens[0], 20);
}

TEST("data/token-file: padded weights and no samples are accepted") {
    std::vector<uint8_t> bytes = valid_bytes();
    while (bytes.size() % 8) bytes.push_back(0);
    CHECK_EQ(token_file::open(write_bytes("padded.tokens", bytes))->n_tokens(), 9u);
    const auto empty = token_file::open(write_token_file("no-samples.tokens", {}));
    CHECK_EQ(empty->n_samples(), 0u);
    CHECK_EQ(empty->max_token(), -1);
}

TEST("data/token-file: weights other than 0 and 1 take four bytes each") {
    const token_sample weighted{{1, 2, 3}, {0, 0.5f, 3}}, masked{{4, 5, 6}, {0, 1, 0}};
    const auto file = token_file::open(write_token_file("floats.tokens", {weighted, masked}));
    CHECK_EQ(file->n_target_tokens(), 3u);
    CHECK_EQ(file->at(0).weight(1), 0.5f);
    CHECK_EQ(file->at(0).weight(2), 3.0f);
    CHECK_EQ(file->at(1).weight(1), 1.0f);
    CHECK_EQ(file->at(1).weight(2), 0.0f);
    for (const float wrong : {-1.0f, INFINITY, NAN}) {
        const token_sample sample{{1, 2, 3}, {0, 0.5f, wrong}};
        CHECK_ERROR("TOKEN_FILE_INVALID", token_file::open(write_token_file("wrong-weight.tokens", {sample})));
    }
    CHECK_ERROR("TOKEN_FILE_INVALID", token_file::open(write_token_file("first-weight.tokens", {{{1, 2}, {0.5f, 1}}})));
}

TEST("data/token-file: every inconsistency is an error") {
    const char * code = "TOKEN_FILE_INVALID";
    CHECK_ERROR(code, token_file::open(cache_directory() + "/data/missing.tokens"));
    CHECK_ERROR(code, token_file::open(cache_directory()));
    CHECK_ERROR(code, token_file::open(write_bytes("empty.tokens", {})));
    CHECK_ERROR(code, open_changed([](auto & b) { b.resize(20); }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[7] = '1'; }));
    CHECK_ERROR(code, open_changed([](auto & b) { std::swap(b[8], b[11]); }));
    CHECK_ERROR(code, open_changed([](auto & b) { b[12] = 2; }));
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
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_weights] = 1; }));       // a loss on a first token
    CHECK_ERROR(code, open_changed([](auto & b) { b[at_weights + 1] = 2; }));
}

TEST("data/token-file: the error gives the actual and the expected size") {
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
