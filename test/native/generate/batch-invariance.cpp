// The result for a token does not depend on the tokens that are computed with it: bit by bit on x86-64.

#include "harness.h"
#include "model/tiny-models.h"
#include "relative-error.h"

#include "generate/context.h"

using namespace llamatune;

namespace {

#if defined(__x86_64__) || defined(_M_X64)
constexpr double tolerance = 0;
#else
constexpr double tolerance = 1e-2;
#endif

constexpr int32_t n_sequences = 8;
const std::atomic<bool> never_stop{false};

using logits_rows = std::vector<std::vector<float>>;

void keep_row(logits_rows & rows, const float * values) { rows.emplace_back(values, values + tiny::n_tokens); }

std::vector<int32_t> prompt_of(int32_t sequence, int32_t length) {
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < length; i++) tokens.push_back((i * 37 + sequence * (i + 1)) % tiny::n_tokens);
    return tokens;
}

// The logits of three tokens after a prompt, for the sequences from `first` to `end` in one context.
std::vector<logits_rows> decoded(const std::shared_ptr<model> & m, int32_t first, int32_t end, int32_t n_prompt) {
    inference_context context(m, {1024, 512, 2, end - first}, nullptr, never_stop);
    std::vector<logits_rows> found(size_t(end - first));
    for (int32_t s = first; s < end; s++) {
        const auto tokens = prompt_of(s, n_prompt + s);
        context.decode_prompt(s - first, 0, tokens.data(), tokens.size());
        keep_row(found[size_t(s - first)], context.logits(-1));
    }
    for (int32_t i = 0; i < 3; i++) {
        std::vector<next_token> step;
        for (int32_t s = first; s < end; s++) step.push_back({s - first, n_prompt + s + i, (s * 7 + i * 3) % 256});
        context.decode_step(step);
        for (int32_t s = first; s < end; s++) keep_row(found[size_t(s - first)], context.logits(s - first));
    }
    return found;
}

void check_equal(const logits_rows & a, const logits_rows & b) {
    CHECK_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); i++) CHECK_NEAR(relative_error(a[i], b[i]), 0.0, tolerance);
}

void check_type(const std::string & type, bool repack) {
    create_options c = tiny::options("qwen3", tiny::scratch("batch-invariance.gguf"));
    c.embedding_length = 256;
    c.head_length = 64;
    c.feed_forward_length = 512;
    c.context_length = 1024;
    c.init_std = 0.05f;
    c.type = type;
    create_model(c);
    load_options o;
    o.path = c.path;
    o.repack = repack;
    o.use_mmap = false; // the file is overwritten for the next type
    const auto m = model::load(o);
    for (const int32_t n_prompt : {20, 600}) {
        const auto together = decoded(m, 0, n_sequences, n_prompt);
        for (const int32_t s : {0, 5}) check_equal(together[size_t(s)], decoded(m, s, s + 1, n_prompt)[0]);
    }
    const auto tokens = prompt_of(1, 700);
    logits_rows whole, parts;
    inference_context context(m, {1024, 512, 2}, nullptr, never_stop);
    context.decode_prompt(0, 0, tokens.data(), tokens.size());
    keep_row(whole, context.logits(-1));
    for (const int32_t cut : {64, 100, 600}) {
        context.clear();
        context.decode_prompt(0, 0, tokens.data(), size_t(cut));
        context.decode_prompt(0, cut, tokens.data() + cut, tokens.size() - size_t(cut));
        keep_row(parts, context.logits(-1));
        check_equal(whole, parts);
        parts.clear();
    }
}

}

TEST("generate: a token's logits do not depend on the other sequences, in any weight type") {
    for (const char * type : {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K_M", "Q6_K", "IQ4_XS"})
        check_type(type, false);
}

TEST("generate: a token's logits do not depend on the other sequences with packed weights") {
    for (const char * type : {"F16", "Q8_0", "Q4_0", "Q4_K_M", "IQ4_XS"}) check_type(type, true);
}
