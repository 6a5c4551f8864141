#include "adapter/test-adapter.h"
#include "harness.h"

#include "adapter/adapter-file.h"
#include "adapter/adapter.h"
#include "adapter/compatibility.h"
#include "core/error.h"
#include "core/rng.h"

#include <gguf.h>
#include <llama-adapter.h>
#include <llama-model.h>
#include <llama.h>

#include <cstring>
#include <filesystem>
#include <fstream>

using namespace llamatune;
using namespace test_adapter;
namespace fs = std::filesystem;

namespace {

std::vector<float> values_of(const ggml_tensor * t) {
    std::vector<float> values((size_t)ggml_nelements(t));
    ggml_backend_tensor_get(t, values.data(), 0, ggml_nbytes(t));
    return values;
}

void randomize_b(const adapter & lora, uint64_t seed) {
    rng random(seed);
    for (const lora_pair & pair : lora.pairs()) {
        std::vector<float> values((size_t)ggml_nelements(pair.b));
        for (float & v : values) v = random.uniform(-0.5f, 0.5f);
        ggml_backend_tensor_set(pair.b, values.data(), 0, ggml_nbytes(pair.b));
    }
}

// Returns the logits of eight tokens by stock llama.cpp, with or without an adapter.
std::vector<float> decode(const model & base, llama_adapter_lora * lora) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 64;
    params.n_threads = params.n_threads_batch = 1;
    const std::unique_ptr<llama_context, decltype(&llama_free)> ctx(llama_init_from_model(base.handle(), params),
                                                                    llama_free);
    CHECK(ctx != nullptr);
    float scale = 1.0f;
    if (lora) CHECK_EQ(llama_set_adapters_lora(ctx.get(), &lora, 1, &scale), 0);
    llama_batch batch = llama_batch_init(8, 0, 1);
    for (int i = 0; i < 8; i++) {
        batch.token[i] = 3 + 7 * i;
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = true;
    }
    batch.n_tokens = 8;
    const int status = llama_decode(ctx.get(), batch);
    llama_batch_free(batch);
    CHECK_EQ(status, 0);
    const float * logits = llama_get_logits(ctx.get());
    return {logits, logits + 8 * llama_vocab_n_tokens(llama_model_get_vocab(base.handle()))};
}

}

TEST("adapter: pairs have the right shapes and names, a zero B and a different A for every weight") {
    const auto base = load("llama");
    const auto lora = adapter::create(base, options_of());
    CHECK_EQ(lora->pairs().size(), 3 * (size_t)llama_model_n_layer(base->handle()) + 1);
    int64_t n = 0;
    std::vector<std::vector<float>> all;
    for (const lora_pair & p : lora->pairs()) {
        CHECK_EQ(std::string(p.a->name), p.name + ".lora_a");
        CHECK_EQ(std::string(p.b->name), p.name + ".lora_b");
        CHECK_EQ(std::string(p.weight->name), p.name);
        CHECK_EQ(p.a->ne[0], p.weight->ne[0]);
        CHECK_EQ(p.a->ne[1], 4);
        CHECK_EQ(p.b->ne[0], 4);
        CHECK_EQ(p.b->ne[1], p.weight->ne[1]);
        CHECK_EQ(p.a->type, GGML_TYPE_F32);
        CHECK(lora->handle()->get_weight(p.weight)->a == p.a);
        n += ggml_nelements(p.a) + ggml_nelements(p.b);
        for (const float v : values_of(p.b)) CHECK_EQ(v, 0.0f);
        const auto a = values_of(p.a);
        const double bound = 1.0 / std::sqrt((double)p.a->ne[0]);
        double squares = 0;
        for (const float v : a) {
            CHECK(std::fabs(v) <= bound);
            squares += (double)v * v;
        }
        CHECK_NEAR(std::sqrt(squares / (double)a.size()), bound / std::sqrt(3.0), 0.1 * bound); // of a uniform
        for (const auto & other : all) CHECK(!std::equal(a.begin(), a.begin() + 16, other.begin()));
        all.push_back(a);
    }
    CHECK_EQ(lora->n_parameters(), n);
}

TEST("adapter: the values depend on the seed and not on the other targets") {
    const auto base = load("llama");
    const auto one = adapter::create(base, options_of()), same = adapter::create(base, options_of({"attn_q"}));
    adapter_options o = options_of();
    o.seed = 43;
    const auto other = adapter::create(base, o);
    CHECK(same->pairs()[0].name == one->pairs()[0].name);
    CHECK(values_of(same->pairs()[0].a) == values_of(one->pairs()[0].a));
    CHECK(values_of(other->pairs()[0].a) != values_of(one->pairs()[0].a));
}

TEST("adapter: llama.cpp applies the scales of LoRA and rsLoRA") {
    const auto base = load("llama");
    adapter_options o = options_of({"attn_q"});
    o.rank = 16;
    const auto plain = adapter::create(base, o);
    CHECK_NEAR(plain->handle()->get_weight(plain->pairs()[0].weight)->get_scale(plain->alpha(), 1.0f), 0.5, 1e-6);
    o.rs_lora = true;
    const auto stable = adapter::create(base, o);
    CHECK_NEAR(stable->handle()->get_weight(stable->pairs()[0].weight)->get_scale(stable->alpha(), 1.0f), 2.0, 1e-6);
}

TEST("adapter: the model lists an adapter during its lifetime") {
    const auto base = load("llama");
    {
        const auto lora = adapter::create(base, options_of());
        CHECK_EQ(base->handle()->loras.count(lora->handle()), 1u);
        const auto second = adapter::create(base, options_of());
        CHECK_EQ(base->handle()->loras.size(), 2u);
    }
    CHECK(base->handle()->loras.empty());
}

TEST("adapter: invalid options are refused") {
    const auto base = load("llama");
    adapter_options o = options_of();
    o.rank = 0;
    CHECK_ERROR("CONFIG_INVALID", adapter::create(base, o));
    o = options_of();
    o.alpha = 0.0f;
    CHECK_ERROR("CONFIG_INVALID", adapter::create(base, o));
    o = options_of();
    o.init = "none";
    CHECK_ERROR("CONFIG_INVALID", adapter::create(base, o));
    CHECK_ERROR("NO_TARGETS", adapter::create(base, options_of({})));
    CHECK_ERROR("TARGET_UNKNOWN", adapter::create(base, options_of({"q_proj"})));
    CHECK(base->handle()->loras.empty());
}

TEST("adapter: a new adapter changes no logit, one with values does") {
    const std::pair<const char *, std::vector<std::string>> cases[] = {
        {"llama", {"*"}}, {"qwen3", {"attn_q", "ffn_up"}}, {"llama-moe", {"attn_q", "ffn_down_exps", "ffn_up_exps"}}};
    for (const auto & [architecture, targets] : cases) {
        const auto base = load(architecture);
        const auto before = decode(*base, nullptr);
        const auto lora = adapter::create(base, options_of(targets));
        CHECK(decode(*base, lora->handle()) == before);
        randomize_b(*lora, 1);
        CHECK(decode(*base, lora->handle()) != before);
    }
}

TEST("adapter: stock llama.cpp and read_adapter read the same adapter back") {
    const std::pair<const char *, std::vector<std::string>> cases[] = {{"llama", {"*"}},
                                                                       {"llama-moe", {"attn_q", "ffn_down_exps"}}};
    for (const auto & [architecture, targets] : cases) {
        const auto base = load(architecture);
        const auto lora = adapter::create(base, options_of(targets));
        randomize_b(*lora, 2);
        const auto trained = decode(*base, lora->handle());
        const std::string path = output(std::string(architecture) + ".gguf");
        write_adapter(path, *lora, {{"steps", "30"}});
        for (const auto & entry : fs::directory_iterator(fs::path(path).parent_path())) {
            CHECK(entry.path().string().find(".tmp") == std::string::npos);
        }

        llama_adapter_lora * stock = llama_adapter_lora_init(base->handle(), path.c_str());
        CHECK(stock != nullptr);
        CHECK(decode(*base, stock) == trained);
        char text[16];
        CHECK(llama_adapter_meta_val_str(stock, "llamatune.steps", text, sizeof(text)) > 0);
        CHECK_EQ(std::string(text), "30");
        llama_adapter_lora_free(stock);

        const auto back = read_adapter(path, base);
        CHECK_EQ(back->pairs().size(), lora->pairs().size());
        CHECK_EQ(back->alpha(), lora->alpha());
        for (size_t i = 0; i < back->pairs().size(); i++) {
            CHECK_EQ(back->pairs()[i].name, lora->pairs()[i].name);
            CHECK(values_of(back->pairs()[i].a) == values_of(lora->pairs()[i].a));
            CHECK(values_of(back->pairs()[i].b) == values_of(lora->pairs()[i].b));
        }
    }
}

TEST("adapter: F16 adapters of other tools are read") {
    const auto base = load("llama");
    const auto lora = adapter::create(base, options_of({"attn_q"}));
    const std::string path = output("f32.gguf");
    write_adapter(path, *lora);
    // Store the first A as F16 and remove the record of the base model.
    const std::string name = lora->pairs()[0].a->name;
    const auto exact = values_of(lora->pairs()[0].a);
    std::vector<ggml_fp16_t> half(exact.size());
    ggml_fp32_to_fp16_row(exact.data(), half.data(), (int64_t)half.size());
    const std::string other = edited(path, "f16.gguf", [&](gguf_context * gguf) {
        gguf_remove_key(gguf, "llamatune.base.shapes");
        gguf_set_tensor_type(gguf, name.c_str(), GGML_TYPE_F16);
        gguf_set_tensor_data(gguf, name.c_str(), half.data());
    });
    const auto read = values_of(read_adapter(other, base)->pairs()[0].a);
    for (size_t i = 0; i < read.size(); i++) CHECK_EQ(read[i], ggml_fp16_to_fp32(half[i]));
}

TEST("adapter: a file that is not an adapter is refused") {
    const auto base = load("llama");
    const auto lora = adapter::create(base, options_of());
    const std::string path = output("valid.gguf");
    write_adapter(path, *lora);
    CHECK_ERROR("ADAPTER_NOT_FOUND", read_adapter(output("missing.gguf"), base));
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(base->options().path, base));

    std::ofstream(output("text.gguf")) << "not a GGUF";
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(output("text.gguf"), base));
    const std::string cut = output("cut.gguf");
    fs::copy_file(path, cut, fs::copy_options::overwrite_existing);
    fs::resize_file(cut, fs::file_size(cut) - 1000);
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(cut, base));
    fs::resize_file(cut, 500);
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(cut, base));

    const auto with = [&](const std::function<void(gguf_context *)> & edit) {
        return edited(path, "edited.gguf", edit);
    };
    const std::function<void(gguf_context *)> edits[] = {
        [](gguf_context * g) { gguf_set_val_str(g, "adapter.type", "dora"); },
        [](gguf_context * g) { gguf_set_val_u32(g, "general.type", 1); },
        [](gguf_context * g) { gguf_set_val_str(g, "adapter.lora.alpha", "8"); },
    };
    for (const auto & edit : edits) CHECK_ERROR("ADAPTER_INVALID", read_adapter(with(edit), base));

    const auto add = [&](const char * name, int64_t ne0, int64_t ne1) {
        const ggml_context_ptr ctx(ggml_init({1 << 16, nullptr, false}));
        ggml_tensor * t = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, ne0, ne1);
        std::memset(t->data, 0, ggml_nbytes(t));
        ggml_set_name(t, name);
        return with([&](gguf_context * gguf) { gguf_add_tensor(gguf, t); });
    };
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(add("blk.0.attn_k.weight.lora_a", 8, 2), base)); // its B is missing
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(add("blk.0.attn_q.weight", 8, 2), base));
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(add("token_embd.weight.lora_a", 8, 2), base));
    CHECK_ERROR("ADAPTER_INVALID", read_adapter(add("blk.0.nothing.weight.lora_a", 8, 2), base));
    CHECK(base->handle()->loras.size() == 1);
}

TEST("adapter: the adapter of another model is refused, naming the first mismatch") {
    const auto base = load("llama");
    const auto lora = adapter::create(base, options_of());
    const std::string path = output("own.gguf");
    write_adapter(path, *lora);
    const auto message = [&](const std::string & file, const std::shared_ptr<model> & to) {
        try {
            read_adapter(file, to);
        } catch (const error & e) {
            CHECK_EQ(e.code(), "ADAPTER_MISMATCH");
            return std::string(e.what());
        }
        return std::string("read without an error");
    };
    const auto has = [](const std::string & text, const char * part) { return text.find(part) != std::string::npos; };
    CHECK(has(message(path, load("qwen3")), "architecture 'llama', this one is 'qwen3'"));
    CHECK(has(message(path, load("llama-moe")), "blk.0.ffn_down.weight"));
    const auto blocks = [](gguf_context * g) { gguf_set_val_u32(g, "llamatune.base.block_count", 77); };
    const auto shapes = [](gguf_context * g) { gguf_set_val_str(g, "llamatune.base.shapes", "0123"); };
    CHECK(has(message(edited(path, "edited.gguf", blocks), base), "77"));
    CHECK(has(message(edited(path, "edited.gguf", shapes), base), "0123"));
}

TEST("adapter: a path that cannot be written is an error") {
    const auto base = load("llama");
    const auto lora = adapter::create(base, options_of({"attn_q"}));
    CHECK_ERROR("OUTPUT_NOT_WRITABLE", write_adapter(output("no-such-folder/x.gguf"), *lora));
}
