#include "generate/greedy.h"
#include "gguf/edited.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "train/tiny-training.h"

#include "core/error.h"
#include "model/tokenizer.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <set>
#include <thread>

using namespace llamatune;

TEST("generate: greedy sampling is repeatable, streams its result and measures times") {
    for (const char * architecture : {"llama", "qwen3"}) {
        const auto m = tiny::load(architecture);
        std::string streamed;
        std::vector<int32_t> tokens;
        const auto a = generate(
            m, greedy(*m),
            [&](const token_event & event) {
                tokens.push_back(event.token);
                streamed += event.text;
            },
            never);
        const auto b = run(m, greedy(*m));
        CHECK_EQ(a.generated_tokens, int64_t(24));
        CHECK_EQ(a.prompt_tokens, int64_t(greedy(*m).prompt.size()));
        CHECK(a.tokens == b.tokens && a.tokens == tokens);
        CHECK_EQ(a.text, streamed);
        CHECK_EQ(a.text, b.text);
        CHECK(a.reason == finish_reason::length);
        CHECK(a.prompt_ms > 0 && a.generation_ms > 0 && a.time_to_first_token_ms >= a.prompt_ms);
    }
}

TEST("generate: the prompt in small batches gives the same answer") {
    const auto m = tiny::load("qwen3");
    auto o = greedy(*m, "in the beginning there was the end, and in the end the beginning");
    const auto whole = run(m, o);
    o.batch_size = 7;
    CHECK(run(m, o).tokens == whole.tokens);
}

TEST("generate: flash attention can be turned on and off") {
    const auto m = tiny::load("qwen3");
    std::vector<std::vector<float>> logits;
    const auto tokens = greedy(*m, "in the beginning there was the end").prompt;
    for (const flash_attention attention : {flash_attention::on, flash_attention::off, flash_attention::automatic}) {
        inference_context context(m, {256, 64, 1, 1, attention}, nullptr, never);
        CHECK_EQ(context.uses_flash_attention(), attention != flash_attention::off);
        context.decode_prompt(0, 0, tokens.data(), tokens.size());
        const float * row = context.logits(-1);
        logits.emplace_back(row, row + tiny::n_tokens);
    }
    CHECK(logits[0] == logits[2]); // the CPU has the kernel
    CHECK(logits[0] != logits[1]); // another one rounds differently
    for (size_t i = 0; i < logits[0].size(); i++) CHECK_NEAR(logits[0][i], logits[1][i], 2e-2);
}

TEST("generate: flash attention that llama.cpp does not have for an architecture is refused, and auto goes without") {
    const auto m = tiny::arch("grok-moe");
    const auto uses = [&](flash_attention attention) {
        return inference_context(m, {64, 64, 1, 1, attention}, nullptr, never).uses_flash_attention();
    };
    CHECK_ERROR("FLASH_ATTENTION_UNSUPPORTED", uses(flash_attention::on));
    CHECK(!uses(flash_attention::automatic));
}

TEST("generate: a seed repeats the answer, another seed differs, temperature 0 needs no seed") {
    const auto m = tiny::load("llama");
    auto o = greedy(*m);
    o.sampling.temperature = 1.0f;
    o.sampling.top_k = 0;
    o.sampling.top_p = 1.0f;
    o.sampling.min_p = 0.0f;
    std::set<std::vector<int32_t>> answers;
    for (const uint64_t seed : {1ull, 2ull, 0xffffffffull, 0x100000000ull}) {
        o.sampling.seed = seed;
        const auto first = run(m, o).tokens;
        CHECK(first == run(m, o).tokens);
        answers.insert(first);
    }
    CHECK(answers.size() >= 3);
    o.sampling.top_k = 1; // one candidate: the greedy answer
    CHECK(run(m, o).tokens == run(m, greedy(*m)).tokens);
    o.sampling.top_k = 0;
    o.sampling.top_p = 1e-6f;
    CHECK(run(m, o).tokens == run(m, greedy(*m)).tokens);
    o.sampling.top_p = 1.0f;
    o.sampling.min_p = 1.0f;
    CHECK(run(m, o).tokens == run(m, greedy(*m)).tokens);
}

TEST("generate: a huge repeat penalty prevents repetition, also of the prompt") {
    const auto m = tiny::load("qwen3");
    auto o = greedy(*m, "abcabcabc", 40);
    o.sampling.repeat_penalty = 1e6f;
    o.sampling.repeat_last_n = 1000;
    std::set<int32_t> seen(o.prompt.begin(), o.prompt.end());
    for (const int32_t t : run(m, o).tokens) CHECK(seen.insert(t).second);
}

TEST("generate: a stop string across tokens ends the answer and is not part of it") {
    const auto m = tiny::load("llama");
    auto o = greedy(*m, "the cat", 60);
    o.sampling.grammar = "root ::= \"hello wonderful world, good bye\"";
    CHECK_EQ(run(m, o).text, std::string("hello wonderful world, good bye"));
    o.stop = {"never", "ful wo", "", "xyz"};
    std::string streamed;
    const auto r = generate(m, o, [&](const token_event & event) { streamed += event.text; }, never);
    CHECK_EQ(r.text, std::string("hello wonder"));
    CHECK_EQ(streamed, r.text);
    CHECK(r.reason == finish_reason::stop);
    o.stop = {"bye!"}; // its start is held back until the end
    const auto whole = run(m, o);
    CHECK_EQ(whole.text, std::string("hello wonderful world, good bye"));
    CHECK(whole.reason == finish_reason::eos);
}

TEST("generate: a grammar is followed with any weights, and an invalid one is an error") {
    const auto m = tiny::load("qwen3");
    auto o = greedy(*m, "question", 50);
    o.sampling.temperature = 1.0f;
    o.sampling.ignore_eos = false;
    o.sampling.grammar = "# a comment first\nroot ::= (\"yes\" | \"no\") \", \" [0-9]{3}\n";
    for (uint64_t seed = 0; seed < 10; seed++) {
        o.sampling.seed = seed;
        const auto r = run(m, o);
        CHECK(r.reason == finish_reason::eos);
        const size_t comma = r.text.find(", ");
        CHECK(comma != std::string::npos && (r.text.substr(0, comma) == "yes" || r.text.substr(0, comma) == "no"));
        CHECK_EQ(r.text.size(), comma + 5);
    }
    for (const char * bad : {"root ::= \"unclosed", "root ::= missing", "rule ::= \"x\"", "root ::= root \"x\" | \"y\"",
                             "no rules here", "#only"}) {
        o.sampling.grammar = bad;
        CHECK_ERROR("GRAMMAR_INVALID", run(m, o));
    }
}

TEST("generate: multi-byte characters arrive whole") {
    const auto m = tiny::load("llama");
    auto o = greedy(*m, "the", 60);
    o.sampling.grammar = "root ::= \"Grüße 你好 🎉!\"";
    std::vector<std::string> pieces;
    const auto r = generate(
        m, o,
        [&](const token_event & event) {
            if (!event.text.empty()) pieces.push_back(event.text);
        },
        never);
    CHECK_EQ(r.text, std::string("Grüße 你好 🎉!"));
    for (const auto & piece : pieces) CHECK((uint8_t(piece[0]) & 0xc0) != 0x80);
    CHECK(pieces.size() >= 11); // one per character, so nothing is held back longer than needed
}

TEST("generate: an end-of-generation token ends the answer unless ignoreEos is set") {
    const auto m = tiny::load("llama");
    auto o = greedy(*m, "the cat", 400);
    o.sampling.temperature = 3.0f;
    o.sampling.top_k = 0;
    o.sampling.top_p = 1.0f;
    o.sampling.min_p = 0.0f;
    for (const int32_t t : run(m, o).tokens) CHECK(t != tiny::im_end);
    o.sampling.ignore_eos = false;
    bool ended = false;
    for (o.sampling.seed = 0; o.sampling.seed < 20 && !ended; o.sampling.seed++) {
        const auto r = run(m, o);
        ended = r.reason == finish_reason::eos;
        for (const int32_t t : r.tokens) CHECK(t != tiny::im_end);
    }
    CHECK(ended);
}

TEST("generate: maxTokens 0, as many tokens as fit, and a prompt that does not fit") {
    const auto m = tiny::load("llama");
    auto o = greedy(*m, "the cat", 0);
    const auto nothing = run(m, o);
    CHECK_EQ(nothing.generated_tokens, int64_t(0));
    CHECK(std::isnan(nothing.time_to_first_token_ms));
    o.context_length = 20;
    for (const int32_t max : {-1, 1000}) {
        o.max_tokens = max;
        const auto r = run(m, o);
        CHECK_EQ(r.generated_tokens + r.prompt_tokens, int64_t(20));
        CHECK(r.reason == finish_reason::length);
    }
    o.prompt.assign(20, 1);
    CHECK_ERROR("PROMPT_TOO_LONG", run(m, o));
    o.context_length = 0;
    o.prompt.assign(512, 1); // the model's context length
    CHECK_ERROR("PROMPT_TOO_LONG", run(m, o));
    o.prompt.clear();
    CHECK_ERROR("PROMPT_EMPTY", run(m, o));
    o.prompt = {1, 99999};
    CHECK_ERROR("TOKEN_OUT_OF_RANGE", run(m, o));
}

TEST("generate: the stop flag ends a running answer and a running prompt") {
    const auto m = tiny::load("llama");
    std::atomic<bool> stop{false};
    int64_t seen = 0;
    auto o = greedy(*m, "the cat", 400);
    CHECK_ERROR("ABORTED", generate(
                               m, o,
                               [&](const token_event &) {
                                   if (++seen == 5) stop = true;
                               },
                               stop));
    CHECK_EQ(seen, int64_t(5));
    CHECK_ERROR("ABORTED", generate(m, o, nullptr, stop));
}

TEST("generate: Q8_0 and Q4_0 run in the CPU's packed layouts") {
    // The matrix is wide enough for the packed kernels; a wrong AMX tile configuration fails here with SIGILL.
    for (const char * type : {"Q8_0", "Q4_0"}) {
        create_options c = tiny::options("qwen3", tiny::scratch("packed.gguf"));
        c.embedding_length = 256;
        c.head_length = 64;
        c.feed_forward_length = 512;
        c.init_std = 0.05f;
        c.type = type;
        create_model(c);
        load_options l;
        l.path = c.path;
        const auto plain = model::load(l);
        l.repack = true;
        const auto packed = model::load(l);
        auto o = greedy(*plain, "in the beginning there was the end, and in the end the beginning, and then", 8);
        const auto a = run(plain, o), b = run(packed, o);
        CHECK_EQ(b.generated_tokens, int64_t(8));
        CHECK_EQ(a.tokens[0], b.tokens[0]); // rounding differs between the kernels, so later tokens may differ
    }
}

TEST("generate: an assertion while llama.cpp opens a context is reported as one, not as a lack of memory") {
    const std::string path =
        harness::edited_gguf(tiny::path("qwen3"), tiny::scratch("no-rope.gguf"),
                             [](gguf_context * g) { gguf_set_val_u32(g, "qwen3.rope.dimension_count", 0); });
    load_options options;
    options.path = path;
    const auto m = model::load(options);
    try {
        run(m, greedy(*m));
        harness::fail(__FILE__, __LINE__, "an error");
    } catch (const error & e) {
        CHECK_EQ(e.code(), std::string("NATIVE_ASSERTION"));
        CHECK(std::string(e.what()).find("GGML_ASSERT(") != std::string::npos);
    }
}
