#include "generate/greedy.h"
#include "harness.h"
#include "model/tiny-models.h"

#include "adapter/adapter-file.h"
#include "core/error.h"
#include "core/rng.h"
#include "gguf/writer.h"
#include "model/weights.h"

#include <llama.h>

#include <cmath>
#include <fstream>
#include <thread>

using namespace llamatune;

// Writes a LoRA file as other tools do for llama.cpp: without a record of the base model; B is not zero.
static std::string foreign_adapter(const model & m, const std::string & architecture,
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

TEST("generate: an adapter changes the answer by its scale and leaves the shared model unchanged") {
    const auto m = tiny::load("qwen3");
    const std::string path =
        foreign_adapter(*m, "qwen3", {"blk.0.attn_v.weight", "blk.1.ffn_down.weight"}, 0.5f, "adapter.gguf");
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

TEST("generate: sequences with an adapter are decoded together as they are alone") {
    const auto m = tiny::load("qwen3");
    auto o = greedy(*m, "the cat", 40);
    o.adapters = {{foreign_adapter(*m, "qwen3", {"blk.0.attn_v.weight", "blk.1.ffn_down.weight"}, 0.5f, "batch.gguf")}};
    o.sampling.temperature = 1.0f;
    o.parallel = 5;
    prompt_queue prompts;
    for (int64_t i = 0; i < 8; i++) prompts.add({i, o.prompt, {uint64_t(i)}});
    prompts.close();
    std::vector<std::vector<int32_t>> together(8);
    const auto on_event = [&](const generation_event & event) {
        if (const auto * r = std::get_if<sequence_result>(&event)) together[size_t(r->prompt_index)] = r->tokens;
    };
    generate(m, o, prompts, on_event, never);
    o.parallel = 1;
    for (size_t i = 0; i < together.size(); i++) {
        o.sampling.seed = i;
        CHECK(run(m, o).tokens == together[i]);
    }
}

TEST("generate: adapters that do not fit are refused") {
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
                with(foreign_adapter(*m, "qwen3", {"blk.0.attn_v.weight"}, 0.1f, "adapter-bad.gguf")));
    CHECK_ERROR("ADAPTER_MISMATCH",
                with(foreign_adapter(*m, "llama", {"blk.7.attn_v.weight"}, 0.1f, "adapter-bad.gguf")));
    CHECK_ERROR("ADAPTER_MISMATCH",
                with(foreign_adapter(*m, "llama", {"blk.0.attn_v.weight"}, 0.1f, "adapter-bad.gguf", 8)));
    CHECK_ERROR("NON_FINITE_LOGITS",
                with(foreign_adapter(*m, "llama", {"blk.0.attn_v.weight", "output.weight"}, NAN, "adapter-bad.gguf")));
    CHECK_EQ(with(foreign_adapter(*m, "llama", {"blk.0.attn_v.weight"}, 0.1f, "adapter-good.gguf")).generated_tokens,
             int64_t(24));
}

// Makes a model with another depth and width than the tiny one.
static std::shared_ptr<model> other_llama(int64_t layers, int64_t embedding_length = 64) {
    create_options c = tiny::options("llama", tiny::scratch("other-llama.gguf"));
    c.layers = layers;
    c.embedding_length = embedding_length;
    create_model(c);
    load_options l;
    l.path = c.path;
    l.use_mmap = false; // the file is overwritten later
    return model::load(l);
}

static std::string own_adapter(const std::shared_ptr<model> & m, const std::vector<std::string> & targets) {
    adapter_options options;
    options.targets = targets;
    const std::string path = tiny::scratch("own-adapter.gguf");
    write_adapter(path, *adapter::create(m, options));
    return path;
}

TEST("generate: an adapter of a model with fewer layers is refused by its record even if its pairs fit") {
    const auto shallow = other_llama(2), deep = other_llama(3);
    auto o = greedy(*deep, "the cat", 4);
    o.adapters = {{own_adapter(shallow, {"attn_q", "ffn_down"}), 1.0f}};
    CHECK_EQ(run(shallow, o).generated_tokens, int64_t(4));
    try {
        run(deep, o);
        CHECK(!"an error");
    } catch (const error & e) {
        CHECK_EQ(e.code(), "ADAPTER_MISMATCH");
        CHECK(std::string(e.what()).find("trained on a model with 2 layers, this one has 3") != std::string::npos);
    }
    // An adapter that covers only some layers is accepted because its record names this model.
    o.adapters = {{own_adapter(deep, {"blk.0.attn_q.weight", "blk.1.ffn_down.weight"}), 1.0f}};
    CHECK_EQ(run(deep, o).generated_tokens, int64_t(4));
    // A file of another tool has no record, so it is accepted if its pairs fit.
    o.adapters = {{foreign_adapter(*shallow, "llama", {"blk.0.attn_q.weight"}, 0.1f, "foreign.gguf"), 1.0f}};
    CHECK_EQ(run(deep, o).generated_tokens, int64_t(4));
}

TEST("generate: an adapter fits any quantization of its base model") {
    const auto exact = tiny::load("llama"), quantized = tiny::load("llama", "Q8_0");
    auto o = greedy(*quantized, "the cat", 4);
    o.adapters = {{own_adapter(exact, {"attn_q", "ffn_down"}), 1.0f}};
    CHECK_EQ(run(quantized, o).generated_tokens, int64_t(4));
}

TEST("generate: an adapter of the token embeddings works as in stock llama.cpp") {
    const auto m = tiny::load("llama");
    const int64_t n_vocab = tiny::n_tokens;
    rng numbers(5);
    std::vector<float> a(size_t(4 * n_vocab)), b(4 * 64);
    for (float & v : a) v = numbers.normal();
    for (float & v : b) v = numbers.normal();
    gguf_writer writer;
    writer.set("general.type", "adapter");
    writer.set("general.architecture", "llama");
    writer.set("adapter.type", "lora");
    writer.add("token_embd.weight.lora_a", GGML_TYPE_F32, {4, n_vocab},
               [&](const byte_sink & sink) { sink(a.data(), a.size() * sizeof(float)); });
    writer.add("token_embd.weight.lora_b", GGML_TYPE_F32, {4, 64},
               [&](const byte_sink & sink) { sink(b.data(), b.size() * sizeof(float)); });
    const std::string path = tiny::scratch("embedding-adapter.gguf");
    writer.write(path);
    auto o = greedy(*m, "the cat", 1);
    const auto base = run(m, o).tokens;
    o.adapters = {{path, 1.0f}};
    const auto own = run(m, o).tokens;
    CHECK(own != base);

    llama_context_params params = llama_context_default_params();
    params.n_ctx = 64;
    params.n_threads = params.n_threads_batch = 1;
    const std::unique_ptr<llama_adapter_lora, decltype(&llama_adapter_lora_free)> stock(
        llama_adapter_lora_init(m->handle(), path.c_str()), llama_adapter_lora_free);
    CHECK(stock != nullptr);
    const std::unique_ptr<llama_context, decltype(&llama_free)> context(llama_init_from_model(m->handle(), params),
                                                                        llama_free);
    llama_adapter_lora * handle = stock.get();
    float scale = 1.0f;
    CHECK_EQ(llama_set_adapters_lora(context.get(), &handle, 1, &scale), 0);
    CHECK_EQ(llama_decode(context.get(), llama_batch_get_one(o.prompt.data(), int32_t(o.prompt.size()))), 0);
    const float * logits = llama_get_logits_ith(context.get(), -1);
    int32_t best = -1; // end-of-generation tokens are never chosen here
    for (int32_t t = 0; t < n_vocab; t++) {
        if (llama_vocab_is_eog(llama_model_get_vocab(m->handle()), t)) continue;
        if (best < 0 || logits[t] > logits[best]) best = t;
    }
    CHECK_EQ(own[0], best);
}

TEST("generate: concurrent calls on one model give the same answers as sequential ones") {
    const auto m = tiny::load("qwen3");
    const std::string path = foreign_adapter(*m, "qwen3", {"blk.0.attn_v.weight"}, 0.5f, "adapter-shared.gguf");
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
