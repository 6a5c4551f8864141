#include "adapter/test-adapter.h"
#include "harness.h"

#include "adapter/adapter-file.h"
#include "adapter/compatibility.h"
#include "core/error.h"

#include <llama.h>

using namespace llamatune;
using namespace test_adapter;

TEST("adapter: every pair that does not fit is listed") {
    const auto base = load("llama");
    const std::string path = output("own.gguf");
    write_adapter(path, *adapter::create(base, options_of({"attn_q", "ffn_down"})));
    try {
        read_adapter(path, load("llama-moe")); // has experts in place of ffn_down
    } catch (const error & e) {
        CHECK_EQ(e.code(), "ADAPTER_MISMATCH");
        size_t n_missing = 0;
        for (const problem & p : e.problems()) n_missing += p.path.find("ffn_down") != std::string::npos;
        CHECK_EQ(n_missing, size_t(llama_model_n_layer(base->handle())));
        return;
    }
    CHECK(!"an error");
}

TEST("adapter: norm weights of other tools are ignored for inference and refused for training") {
    const auto base = load("llama");
    const std::string path = output("own.gguf");
    write_adapter(path, *adapter::create(base, options_of({"attn_q"})));
    const ggml_context_ptr ctx(ggml_init({1 << 16, nullptr, false}));
    ggml_tensor * t = ggml_new_tensor_1d(ctx.get(), GGML_TYPE_F32, 8);
    ggml_set_name(t, "blk.0.attn_norm.weight");
    const std::string with_norm = edited(path, "norm.gguf", [&](gguf_context * g) { gguf_add_tensor(g, t); });
    CHECK(read_adapter(with_norm, base) != nullptr);
    CHECK_ERROR("TARGET_UNSUPPORTED", check_trainable(adapter_header(with_norm), *base));
    check_trainable(adapter_header(path), *base);
}

TEST("adapter: the file records rank, targets and rsLoRA, and one rank per target if ranks differ") {
    const auto base = load("llama");
    const std::string path = output("recorded.gguf");
    adapter_options o = options_of({"attn_q", "blk.1.ffn_down.weight"});
    o.rs_lora = true;
    write_adapter(path, *adapter::create(base, o));
    adapter_header one(path);
    CHECK_EQ(one.file.integer("llamatune.lora.rank", 0), 4);
    CHECK(one.rs_lora == true && one.rank() == 4);
    CHECK_NEAR(*one.option_alpha(true), 8.0, 1e-5);
    CHECK_NEAR(one.alpha, 16.0, 1e-5);

    std::vector<adapter::slot> slots;
    for (lora_target & target : match_targets(*base, {"blk.1.ffn_down.weight", "blk.0.attn_q.weight"}))
        slots.push_back({target, target.name == "blk.0.attn_q.weight" ? 2 : 6});
    write_adapter(path, *adapter::zeros(base, slots, 8.0f, std::nullopt));
    adapter_header two(path);
    CHECK(!two.file.has("llamatune.lora.rank") && !two.rank() && !two.rs_lora);
    CHECK((two.file.numbers("llamatune.lora.ranks") == std::vector<double>{2, 6}));
    CHECK_EQ(read_adapter(path, base)->pairs()[1].b->ne[0], 6);
}

TEST("adapter: options that differ from the adapter to continue are refused together") {
    const auto base = load("llama");
    const std::string path = output("continued.gguf");
    write_adapter(path, *adapter::create(base, options_of({"attn_q", "attn_v"})));
    const adapter_header file(path);
    const auto problems = [&](const adapter_options & given) {
        const auto targets = given.targets.empty() ? std::vector<lora_target>() : match_targets(*base, given.targets);
        std::string names;
        try {
            check_options(file, given, targets);
        } catch (const error & e) {
            CHECK_EQ(e.code(), "CONFIG_INVALID");
            for (const problem & p : e.problems()) {
                CHECK(std::string(e.what()).find(p.path + ": " + p.message) != std::string::npos);
                names += (names.empty() ? "" : " ") + p.path;
            }
        }
        return names;
    };
    CHECK_EQ(problems({}), "");
    CHECK_EQ(problems(options_of({"blk.*.attn_v.weight", "attn_q"})), ""); // the same targets by other names
    adapter_options given = options_of({"attn_q"});
    given.rank = 8;
    given.alpha = 9.0f;
    given.rs_lora = true;
    CHECK_EQ(problems(given), "lora.rank lora.rsLora lora.alpha lora.targets");
    given = {};
    given.rank = 8;
    CHECK_EQ(problems(given), "lora.rank");
    given = {};
    given.targets = {"attn_q", "attn_v", "attn_k"};
    CHECK_EQ(problems(given), "lora.targets");
}

TEST("adapter: if a file does not record rsLoRA, the option decides what its alpha means") {
    const auto base = load("llama");
    adapter_options o = options_of({"attn_q"});
    o.rs_lora = true; // rank 4, alpha 8: stored as 16
    const std::string path = output("foreign-rs.gguf");
    write_adapter(path, *adapter::create(base, o));
    const adapter_header file(
        edited(path, "edited.gguf", [](gguf_context * g) { gguf_remove_key(g, "llamatune.lora.rs_lora"); }));
    check_options(file, o, {});
    o.rs_lora = std::nullopt;
    CHECK_ERROR("CONFIG_INVALID", check_options(file, o, {}));
    o.alpha = 16.0f;
    check_options(file, o, {});
}
