#include "harness.h"
#include "model/tiny-models.h"

#include "core/error.h"
#include "core/rng.h"
#include "generate/generate.h"
#include "gguf/gguf-file.h"
#include "model/tokenizer.h"
#include "model/weights.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <set>
#include <thread>

using namespace llamatune;

static const std::atomic<bool> never{false};

static generate_options greedy(const model & m, const std::string & prompt = "the cat", int32_t max_tokens = 24) {
    generate_options o;
    o.prompt = tokenize(m, prompt, false, false);
    o.max_tokens = max_tokens;
    o.n_threads = 1; // tiny matrices: a second thread would only wait
    o.sampling.temperature = 0.0f;
    o.sampling.ignore_eos = true;
    return o;
}

static generate_result run(const std::shared_ptr<model> & m, const generate_options & o) {
    return generate(m, o, nullptr, never);
}

// A LoRA file as llama.cpp expects it, B not zero, for the named weights.
static std::string write_adapter(const model & m, const std::string & architecture,
                                 const std::vector<std::string> & weights, float strength, const std::string & file,
                                 int64_t extra = 0) {
    const gguf_context_ptr gguf(gguf_init_empty());
    gguf_set_val_str(gguf.get(), "general.type", "adapter");
    gguf_set_val_str(gguf.get(), "general.architecture", architecture.c_str());
    gguf_set_val_str(gguf.get(), "adapter.type", "lora");
    gguf_set_val_f32(gguf.get(), "adapter.lora.alpha", 4.0f);
    const ggml_context_ptr ctx(ggml_init({1u << 22, nullptr, false}));
    rng numbers(1);
    const auto add = [&](const std::string & name, int64_t ne0, int64_t ne1) {
        ggml_tensor * t = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, ne0, ne1);
        ggml_set_name(t, name.c_str());
        for (int64_t i = 0; i < ggml_nelements(t); i++) static_cast<float *>(t->data)[i] = strength * numbers.normal();
        gguf_add_tensor(gguf.get(), t);
    };
    for (const std::string & name : weights) {
        const ggml_tensor * w = find_weight(m, name);
        add(name + ".lora_a", (w ? w->ne[0] : 64) + extra, 4);
        add(name + ".lora_b", 4, w ? w->ne[1] : 64);
    }
    const std::string path = tiny::scratch(file);
    CHECK(gguf_write_to_file(gguf.get(), path.c_str(), false));
    return path;
}

TEST("generate: greedy gives the same twice, streams what it returns, and measures") {
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

TEST("generate: a seed repeats, another seed differs, temperature 0 needs none") {
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

TEST("generate: a huge repeat penalty forbids what was said, the prompt included") {
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
    o.stop = {"bye!"}; // its start is held back, and comes at the end
    const auto whole = run(m, o);
    CHECK_EQ(whole.text, std::string("hello wonderful world, good bye"));
    CHECK(whole.reason == finish_reason::eos);
}

TEST("generate: a grammar is followed whatever the weights, and a bad one is an error") {
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
    CHECK(pieces.size() >= 11); // one per character: nothing is held back longer than needed
}

TEST("generate: an end-of-generation token ends the answer unless it is to be ignored") {
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

TEST("generate: lengths: none, as many as fit, and a prompt that does not fit") {
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
    o.prompt.assign(512, 1); // what the model was made for
    CHECK_ERROR("PROMPT_TOO_LONG", run(m, o));
    o.prompt.clear();
    CHECK_ERROR("PROMPT_EMPTY", run(m, o));
    o.prompt = {1, 99999};
    CHECK_ERROR("TOKEN_OUT_OF_RANGE", run(m, o));
}

TEST("generate: an adapter changes the answer by its scale, and leaves the shared model as it was") {
    const auto m = tiny::load("qwen3");
    const std::string path =
        write_adapter(*m, "qwen3", {"blk.0.attn_v.weight", "blk.1.ffn_down.weight"}, 0.5f, "adapter.gguf");
    const auto base = run(m, greedy(*m)).tokens;
    auto o = greedy(*m);
    o.adapters = {{path, 1.0f}};
    const auto adapted = run(m, o).tokens;
    CHECK(adapted != base);
    CHECK(run(m, o).tokens == adapted);
    o.adapters = {{path, 0.0f}};
    CHECK(run(m, o).tokens == base);
    o.adapters = {{path, 0.5f}, {path, 0.5f}};
    CHECK(run(m, o).tokens == adapted);
    CHECK(run(m, greedy(*m)).tokens == base);
}

TEST("generate: adapters that do not fit") {
    const auto m = tiny::load("llama");
    auto o = greedy(*m);
    const auto with = [&](const std::string & path) {
        o.adapters = {{path, 1.0f}};
        return run(m, o);
    };
    CHECK_ERROR("ADAPTER_NOT_FOUND", with("/no/such/adapter.gguf"));
    CHECK_ERROR("ADAPTER_INVALID", with(tiny::path("llama")));
    const std::string text = tiny::scratch("no-adapter.txt");
    std::ofstream(text) << "text";
    CHECK_ERROR("ADAPTER_INVALID", with(text));
    CHECK_ERROR("ADAPTER_MISMATCH",
                with(write_adapter(*m, "qwen3", {"blk.0.attn_v.weight"}, 0.1f, "adapter-bad.gguf")));
    CHECK_ERROR("ADAPTER_MISMATCH",
                with(write_adapter(*m, "llama", {"blk.7.attn_v.weight"}, 0.1f, "adapter-bad.gguf")));
    CHECK_ERROR("ADAPTER_MISMATCH",
                with(write_adapter(*m, "llama", {"blk.0.attn_v.weight"}, 0.1f, "adapter-bad.gguf", 8)));
    CHECK_ERROR("NON_FINITE_LOGITS",
                with(write_adapter(*m, "llama", {"blk.0.attn_v.weight", "output.weight"}, NAN, "adapter-bad.gguf")));
    CHECK_EQ(with(write_adapter(*m, "llama", {"blk.0.attn_v.weight"}, 0.1f, "adapter-good.gguf")).generated_tokens,
             int64_t(24));
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

TEST("generate: several at once on one model answer as one after the other do") {
    const auto m = tiny::load("qwen3");
    const std::string path = write_adapter(*m, "qwen3", {"blk.0.attn_v.weight"}, 0.5f, "adapter-shared.gguf");
    auto with = greedy(*m, "the cat", 60), without = with;
    with.adapters = {{path, 1.0f}};
    const auto expected_with = run(m, with).tokens, expected_without = run(m, without).tokens;
    CHECK(expected_with != expected_without);
    std::vector<std::vector<int32_t>> answers(8);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < answers.size(); i++)
        threads.emplace_back([&, i] { answers[i] = run(m, i % 2 ? with : without).tokens; });
    for (auto & t : threads) t.join();
    for (size_t i = 0; i < answers.size(); i++) CHECK(answers[i] == (i % 2 ? expected_with : expected_without));
}

TEST("generate: Q8_0 and Q4_0 run in the CPU's packed layouts") {
    // With a matrix as wide as the packed kernels want; a broken AMX tile configuration dies here with SIGILL.
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
        CHECK_EQ(a.tokens[0], b.tokens[0]); // rounding differs between the kernels: later tokens may too
    }
}
