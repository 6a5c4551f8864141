#include "harness.h"
#include "model/tiny-models.h"

#include "core/error.h"
#include "gguf/reader.h"
#include "model-tools/quantize.h"
#include "model-tools/save.h"
#include "model/info.h"
#include "model/weight-type.h"
#include "model/weights.h"

#include <ggml-backend.h>

#include <cmath>
#include <filesystem>
#include <fstream>

using namespace llamatune;
namespace fs = std::filesystem;

static std::string contents(const std::string & path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

static std::vector<float> floats(const ggml_tensor * t) {
    std::vector<float> values(size_t(ggml_nelements(t)));
    ggml_backend_tensor_get(t, values.data(), 0, values.size() * sizeof(float));
    return values;
}

static std::shared_ptr<model> load_path(const std::string & path, bool use_mmap = true) {
    load_options o;
    o.path = path;
    o.use_mmap = use_mmap;
    return model::load(o);
}

TEST(
    "model/create: the same options give the same bytes for any number of threads, another seed gives different ones") {
    create_options o = tiny::options("qwen3", tiny::scratch("create-a.gguf"));
    o.feed_forward_length = 20000; // several chunks per matrix
    o.type = "Q4_0";
    o.n_threads = 1;
    create_model(o);
    const std::string one = contents(o.path);
    o.n_threads = 3;
    create_model(o);
    CHECK(one == contents(o.path));
    o.seed++;
    create_model(o);
    CHECK(one != contents(o.path));
}

TEST("model/create: weights have the given deviation, residual ones a smaller one, norms are one, no two are equal") {
    const auto m = tiny::load("llama");
    const auto deviation = [&](const char * name) {
        double squares = 0;
        const auto values = floats(find_weight(*m, name));
        for (const float v : values) squares += double(v) * v;
        return std::sqrt(squares / double(values.size()));
    };
    CHECK_NEAR(deviation("blk.0.attn_q.weight"), 0.2, 0.01);
    CHECK_NEAR(deviation("token_embd.weight"), 0.2, 0.01);
    CHECK_NEAR(deviation("blk.1.ffn_down.weight"), 0.1, 0.005); // 0.2 / sqrt(2 * 2 layers)
    CHECK_NEAR(deviation("blk.0.attn_norm.weight"), 1.0, 0.0);
    CHECK(floats(find_weight(*m, "blk.0.attn_k.weight")) != floats(find_weight(*m, "blk.0.attn_v.weight")));
    CHECK(floats(find_weight(*m, "blk.0.attn_k.weight")) != floats(find_weight(*m, "blk.1.attn_k.weight")));
}

TEST("model/create: sampled blocks have the deviation of quantized values, differ by weight and seed, and load") {
    for (const char * type : {"F32", "F16", "Q8_0", "Q4_K_M"}) {
        create_options o = tiny::options("llama", tiny::scratch("create-sampled.gguf"));
        o.embedding_length = 256;
        o.type = type;
        o.sampled_blocks = true;
        o.n_threads = 1;
        create_model(o);
        const std::string one = contents(o.path);
        const auto m = load_path(o.path);
        const ggml_tensor * q = find_weight(*m, "blk.0.attn_q.weight");
        const ggml_tensor * k = find_weight(*m, "blk.1.attn_q.weight");
        std::vector<char> bytes(ggml_nbytes(q)), other(ggml_nbytes(k));
        ggml_backend_tensor_get(q, bytes.data(), 0, bytes.size());
        ggml_backend_tensor_get(k, other.data(), 0, other.size());
        CHECK(bytes != other);
        std::vector<float> values(size_t(ggml_nelements(q)));
        const ggml_to_float_t to_float = ggml_get_type_traits(q->type)->to_float;
        if (to_float)
            to_float(bytes.data(), values.data(), int64_t(values.size()));
        else
            values = floats(q);
        double squares = 0;
        for (const float v : values) squares += double(v) * v;
        CHECK_NEAR(std::sqrt(squares / double(values.size())), 0.2, 0.01);
        o.n_threads = 3;
        create_model(o);
        CHECK(one == contents(o.path));
        o.seed++;
        create_model(o);
        CHECK(one != contents(o.path));
    }
}

TEST("model/create: every weight type loads, mixes included, and tied embeddings have no output") {
    for (const char * type : {"F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_M", "Q4_K_M",
                              "Q5_K_S", "Q6_K", "IQ4_NL", "IQ4_XS", "IQ3_S", "TQ2_0", "q4_k"}) {
        create_options o = tiny::options("llama", tiny::scratch("create-type.gguf"));
        o.embedding_length = 256;
        o.feed_forward_length = 256;
        o.head_length = 64;
        o.tie_embeddings = true;
        o.type = type;
        create_model(o);
        const auto m = load_path(o.path);
        const weight_type wanted = parse_weight_type(type);
        CHECK_EQ(std::string(ggml_type_name(find_weight(*m, "blk.0.attn_q.weight")->type)),
                 std::string(ggml_type_name(wanted.base)));
        CHECK_EQ(std::string(ggml_type_name(find_weight(*m, "token_embd.weight")->type)),
                 std::string(ggml_type_name(wanted.embedding)));
        CHECK_EQ(std::string(ggml_type_name(find_weight(*m, "blk.1.ffn_down.weight")->type)),
                 std::string(ggml_type_name(wanted.finer)));
        CHECK(find_weight(*m, "output.weight") == nullptr);
    }
}

TEST("model/create: gemma3 has a norm after each block, and a window that most layers see") {
    const auto m = tiny::load("gemma3");
    for (const char * name :
         {"blk.1.post_attention_norm.weight", "blk.1.post_ffw_norm.weight", "blk.1.attn_q_norm.weight"}) {
        CHECK(find_weight(*m, name) != nullptr);
    }
    CHECK_EQ(describe(*m).metadata.at("gemma3.attention.sliding_window"), std::string("512"));
    CHECK_EQ(describe(*tiny::load("qwen3")).metadata.count("qwen3.attention.sliding_window"), size_t(0));
}

TEST("model/create: qwen3moe has a matrix for each expert, no two are equal, and the router is always F32") {
    for (const char * type : {"F32", "F16", "Q8_0"}) {
        const auto m = tiny::load("qwen3moe", type);
        const ggml_tensor * up = find_weight(*m, "blk.1.ffn_up_exps.weight");
        CHECK(up->ne[0] == 64 && up->ne[1] == 32 && up->ne[2] == 8);
        CHECK_EQ(std::string(ggml_type_name(up->type)), std::string(ggml_type_name(parse_weight_type(type).base)));
        const ggml_tensor * down = find_weight(*m, "blk.1.ffn_down_exps.weight");
        CHECK(down->ne[0] == 32 && down->ne[1] == 64 && down->ne[2] == 8);
        CHECK_EQ(find_weight(*m, "blk.1.ffn_gate_inp.weight")->type, GGML_TYPE_F32);
        CHECK(find_weight(*m, "blk.1.ffn_up.weight") == nullptr);
    }
    const auto m = tiny::load("qwen3moe");
    CHECK_EQ(describe(*m).metadata.at("qwen3moe.expert_used_count"), std::string("2"));
    const auto values = floats(find_weight(*m, "blk.0.ffn_gate_exps.weight"));
    const size_t one = values.size() / 8;
    for (size_t e = 1; e < 8; e++) CHECK(!std::equal(values.begin(), values.begin() + one, values.begin() + e * one));

    create_options o = tiny::options("qwen3moe", tiny::scratch("create-moe.gguf"));
    o.embedding_length = o.expert_feed_forward_length = 256; // a K-quant's block
    o.type = "Q4_K";
    create_model(o);
    CHECK_EQ(find_weight(*load_path(o.path), "blk.0.ffn_down_exps.weight")->type, GGML_TYPE_Q4_K);
    o.used_experts = 0;
    CHECK_ERROR("ARGUMENT_INVALID", create_model(o));
}

TEST("model/create: rows too short for a K-quant get the nearest type") {
    CHECK_EQ(fitting_type(GGML_TYPE_Q4_K, 64), GGML_TYPE_Q5_0);
    CHECK_EQ(fitting_type(GGML_TYPE_Q6_K, 64), GGML_TYPE_Q8_0);
    CHECK_EQ(fitting_type(GGML_TYPE_Q6_K, 50), GGML_TYPE_F16);
    CHECK_EQ(fitting_type(GGML_TYPE_Q4_K, 512), GGML_TYPE_Q4_K);
    const auto m = tiny::load("qwen3", "Q4_K_M");
    CHECK_EQ(find_weight(*m, "blk.0.attn_q.weight")->type, GGML_TYPE_Q5_0);
}

TEST("model/create: invalid options are errors and leave no file") {
    create_options o = tiny::options("llama", tiny::scratch("create-bad.gguf"));
    o.kv_heads = 0;
    CHECK_ERROR("ARGUMENT_INVALID", create_model(o));
    o = tiny::options("llama", o.path);
    o.embedding_length = int64_t(1) << 40;
    CHECK_ERROR("ARGUMENT_INVALID", create_model(o));
    o = tiny::options("mamba", o.path);
    CHECK_ERROR("UNSUPPORTED_ARCHITECTURE", create_model(o));
    o = tiny::options("llama", o.path);
    o.type = "Q9_9";
    CHECK_ERROR("UNKNOWN_WEIGHT_TYPE", create_model(o));
    o = tiny::options("llama", o.path);
    o.vocabulary.from = "/no/such.gguf";
    CHECK_ERROR("MODEL_NOT_FOUND", create_model(o));
    CHECK(!fs::exists(o.path));
    o = tiny::options("llama", harness::cache_directory() + "/no/such/folder/m.gguf");
    CHECK_ERROR("OUTPUT_NOT_WRITABLE", create_model(o));
    const std::atomic<bool> stop{true};
    o = tiny::options("llama", tiny::scratch("create-aborted.gguf"));
    CHECK_ERROR("ABORTED", create_model(o, &stop));
    CHECK(!fs::exists(o.path));
}

TEST("model/quantize: an F32 model becomes Q8_0 with nearly the same weights") {
    const std::string out = tiny::scratch("quantized.gguf");
    quantize_model({tiny::path("llama"), out, "Q8_0", 2});
    const auto m = load_path(out), original = tiny::load("llama");
    const ggml_tensor * q = find_weight(*m, "blk.0.ffn_up.weight");
    CHECK_EQ(q->type, GGML_TYPE_Q8_0);
    std::vector<char> raw(ggml_nbytes(q));
    ggml_backend_tensor_get(q, raw.data(), 0, raw.size());
    std::vector<float> back(size_t(ggml_nelements(q)));
    ggml_get_type_traits(q->type)->to_float(raw.data(), back.data(), int64_t(back.size()));
    const auto values = floats(find_weight(*original, "blk.0.ffn_up.weight"));
    for (size_t i = 0; i < back.size(); i++) CHECK_NEAR(back[i], values[i], 0.005);

    CHECK_ERROR("MODEL_NOT_FOUND", quantize_model({"/no/such.gguf", out, "Q8_0", 1}));
    CHECK_ERROR("UNKNOWN_WEIGHT_TYPE", quantize_model({tiny::path("llama"), out, "int8", 1}));
    CHECK_ERROR("OUTPUT_NOT_WRITABLE", quantize_model({tiny::path("llama"), "/no/such/folder/x.gguf", "Q8_0", 1}));

    const std::string unknown = tiny::scratch("unknown-architecture.gguf"), none = tiny::scratch("never-written.gguf");
    const gguf_context_ptr gguf(gguf_init_empty());
    gguf_set_val_str(gguf.get(), "general.architecture", "hal9000");
    CHECK(gguf_write_to_file(gguf.get(), unknown.c_str(), true));
    CHECK_ERROR("QUANTIZE_FAILED", quantize_model({unknown, none, "Q8_0", 1}));
    CHECK(!fs::exists(none));
}

TEST("model-tools: creating or quantizing a model over its input is refused and the input is unchanged") {
    const std::string input = tiny::scratch("kept-input.gguf");
    fs::copy_file(tiny::path("llama"), input);
    const std::string before = contents(input);
    const fs::path linked = fs::u8path(tiny::scratch("kept-input-link.gguf"));
    fs::create_hard_link(fs::u8path(input), linked);
    for (const std::string & output : {input, linked.u8string()}) {
        CHECK_ERROR("OUTPUT_CONFLICT", quantize_model({input, output, "Q8_0", 1}));
        create_options o = tiny::options("llama", output);
        o.vocabulary = {};
        o.vocabulary.from = input;
        CHECK_ERROR("OUTPUT_CONFLICT", create_model(o));
    }
    CHECK(contents(input) == before);
}

TEST("model/save: changed weights are in the file, everything else is unchanged") {
    const auto m = load_path(tiny::path("qwen3"), false);
    ggml_tensor * w = find_weight(*m, "blk.1.attn_v.weight");
    auto values = floats(w);
    for (float & v : values) v += 1.0f;
    ggml_backend_tensor_set(w, values.data(), 0, values.size() * sizeof(float));
    const std::string out = tiny::scratch("saved.gguf");
    save_model(*m, out);

    const auto saved = load_path(out), original = tiny::load("qwen3");
    CHECK(floats(find_weight(*saved, "blk.1.attn_v.weight")) == values);
    CHECK(floats(find_weight(*original, "blk.1.attn_v.weight")) != values);
    CHECK(floats(find_weight(*saved, "blk.0.attn_v.weight")) == floats(find_weight(*original, "blk.0.attn_v.weight")));
    CHECK(describe(*saved).metadata == describe(*original).metadata);
    CHECK_EQ(fs::file_size(out), fs::file_size(tiny::path("qwen3")));
    CHECK_ERROR("OUTPUT_NOT_WRITABLE", save_model(*m, "/no/such/folder/x.gguf"));
    CHECK_ERROR("MODEL_NOT_TRAINABLE", save_model(*tiny::load("qwen3", "Q8_0", true), out));
}
