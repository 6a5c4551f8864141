#include "gguf/edited.h"
#include "harness.h"
#include "model/tiny-models.h"

#include "core/error.h"
#include "model/hyperparameters.h"

#include <cmath>
#include <filesystem>

using namespace llamatune;
namespace fs = std::filesystem;

namespace {

// Loads a copy of a model with one value changed and returns the error.
error load_error(const std::string & model_path, const std::function<void(gguf_context *)> & edit) {
    const std::string path = harness::edited_gguf(model_path, tiny::scratch("hyperparameters.gguf"), edit);
    try {
        load_options options;
        options.path = path;
        model::load(options);
    } catch (const error & e) { return e; }
    return error("NONE", "the model was loaded");
}

void expect_named(const error & e, const std::string & key, const std::string & value) {
    const std::string message = e.what();
    if (e.code() != "MODEL_INVALID" || message.find(key + " is " + value) == std::string::npos)
        harness::fail(__FILE__, __LINE__,
                      "an error that names " + key + " = " + value + ", got " + e.code() + ": " + message);
}

}

TEST("model/hyperparameters: a float that a kernel asserts on or divides by is refused by name when the model loads") {
    struct wrong_float {
        const char * architecture;
        const char * key;
        float value;
        const char * text;
    };
    const float inf = INFINITY, nan = NAN;
    const wrong_float cases[] = {
        {"llama", "llama.attention.layer_norm_rms_epsilon", nan, "nan"},
        {"llama", "llama.attention.layer_norm_rms_epsilon", -1e-5f, "-1e-05"},
        {"llama", "llama.attention.layer_norm_rms_epsilon", inf, "inf"},
        {"falcon", "falcon.attention.layer_norm_epsilon", nan, "nan"},
        {"falcon", "falcon.attention.layer_norm_epsilon", -1.0f, "-1"},
        {"llama", "llama.rope.freq_base", nan, "nan"},
        {"llama", "llama.rope.freq_base", 0.0f, "0"},
        {"llama", "llama.rope.freq_base", -10000.0f, "-10000"},
        {"llama", "llama.rope.scaling.factor", nan, "nan"},
        {"gemma3", "gemma3.rope.freq_base_swa", inf, "inf"},
        {"gemma2", "gemma2.attn_logit_softcapping", nan, "nan"},
        {"gemma2", "gemma2.attn_logit_softcapping", -50.0f, "-50"},
        {"gemma2", "gemma2.final_logit_softcapping", inf, "inf"},
        {"mpt", "mpt.attention.max_alibi_bias", nan, "nan"},
        {"mpt", "mpt.attention.clamp_kqv", -6.0f, "-6"},
        {"granite", "granite.logit_scale", nan, "nan"},
        {"granite", "granite.attention.scale", nan, "nan"},
    };
    for (const wrong_float & c : cases) {
        expect_named(load_error(harness::arch_model(c.architecture),
                                [&](gguf_context * g) { gguf_set_val_f32(g, c.key, c.value); }),
                     c.key, c.text);
    }
}

TEST("model/hyperparameters: a count that llama.cpp divides by or that must divide another is refused by name") {
    struct wrong_count {
        const char * model;
        const char * key;
        uint32_t value;
    };
    const wrong_count cases[] = {
        {"llama", "llama.block_count", 0},
        {"llama", "llama.embedding_length", 0},
        {"llama", "llama.context_length", 0},
        {"llama", "llama.context_length", 4294967295u},
        {"llama", "llama.attention.head_count", 0},
        {"phimoe-moe", "phimoe.attention.head_count", 0},
        {"llama", "llama.attention.head_count_kv", 3},
        {"llama", "llama.rope.dimension_count", 33},
        {"qwen3", "qwen3.rope.dimension_count", 100000},
        {"qwen3moe-moe", "qwen3moe.expert_used_count", 1000},
        {"qwen3next-moe", "qwen3next.full_attention_interval", 0},
        {"mamba2", "mamba2.ssm.group_count", 3},
        {"mamba2", "mamba2.ssm.group_count", 0},
        {"grovemoe-moe", "grovemoe.experts_per_group", 0},
    };
    for (const wrong_count & c : cases) {
        expect_named(
            load_error(harness::arch_model(c.model), [&](gguf_context * g) { gguf_set_val_u32(g, c.key, c.value); }),
            c.key, std::to_string(c.value));
    }
}

TEST("model/hyperparameters: RWKV's head size must divide the embedding length") {
    for (const uint32_t size : {0u, 7u}) {
        const error e = load_error(tiny::path("llama"), [&](gguf_context * g) {
            gguf_set_val_str(g, "general.architecture", "rwkv7");
            gguf_set_val_u32(g, "rwkv7.embedding_length", 64);
            gguf_set_val_u32(g, "rwkv7.wkv.head_size", size);
        });
        expect_named(e, "rwkv7.wkv.head_size", std::to_string(size));
    }
}

TEST("model/hyperparameters: every problem is listed, in the message and one by one") {
    const error e = load_error(tiny::path("llama"), [](gguf_context * g) {
        gguf_set_val_f32(g, "llama.attention.layer_norm_rms_epsilon", NAN);
        gguf_set_val_f32(g, "llama.rope.freq_base", -1.0f);
        const int32_t sections[] = {100, 100, 100, 0};
        gguf_set_arr_data(g, "llama.rope.dimension_sections", GGUF_TYPE_INT32, sections, 4);
    });
    CHECK_EQ(e.problems().size(), size_t(3));
    CHECK_EQ(e.problems()[0].path, "llama.attention.layer_norm_rms_epsilon");
    CHECK_EQ(e.problems()[1].path, "llama.rope.freq_base");
    CHECK_EQ(e.problems()[2].path, "llama.rope.dimension_sections");
    expect_named(e, "llama.rope.freq_base", "-1");
}

TEST("model/hyperparameters: the models of all architectures pass") {
    const fs::path folder = fs::path(harness::arch_model("llama")).parent_path();
    size_t n = 0;
    for (const auto & entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() != ".gguf") continue;
        check_hyperparameters(gguf_reader(entry.path().string()));
        n++;
    }
    CHECK(n > 100);
}
