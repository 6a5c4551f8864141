#include "harness.h"
#include "model/tiny-models.h"

#include "core/error.h"
#include "model/info.h"
#include "model/tokenizer.h"
#include "model/weights.h"

#include <ggml.h>

using namespace llamatune;

static std::shared_ptr<model> with_vocabulary(const std::string & name) {
    create_options o = tiny::options("qwen3", tiny::scratch("vocabulary-" + name + ".gguf"));
    o.vocabulary = {};
    o.vocabulary.from = tiny::vendored_vocabulary(name);
    o.chat_template.clear();
    o.type = "Q8_0";
    create_model(o);
    load_options load;
    load.path = o.path;
    return model::load(load);
}

TEST("model/tokenizer: Qwen2's vocabulary tokenizes and detokenizes, token by token and as a whole") {
    const auto m = with_vocabulary("qwen2");
    CHECK((tokenize(*m, "Hello world", false, false) == std::vector<int32_t>{9707, 1879}));
    for (const std::string text : {"Hello, world!", "def f(x):\n\treturn x ** 2\n", "Grüße aus Köln 🎉🎉 你好，世界",
                                   " leading and trailing ", ""}) {
        const auto tokens = tokenize(*m, text, false, false);
        CHECK_EQ(detokenize(*m, tokens, false), text);
        std::string joined;
        for (const int32_t t : tokens) joined += token_bytes(*m, t, false);
        CHECK_EQ(joined, text);
    }
    const auto chat = tokenize(*m, "<|im_start|>user\nhi<|im_end|>", false, true);
    CHECK_EQ(chat.front(), 151644);
    CHECK_EQ(chat.back(), 151645);
    CHECK_EQ(token_bytes(*m, 151644, true), std::string("<|im_start|>"));
    CHECK_EQ(token_bytes(*m, 151644, false), std::string());
    CHECK_EQ(detokenize(*m, chat, true), std::string("<|im_start|>user\nhi<|im_end|>"));
    CHECK(tokenize(*m, "<|im_start|>", false, false).size() > 1);
    std::string lengthy;
    for (int i = 0; i < 5000; i++) lengthy += "a b";
    CHECK_EQ(detokenize(*m, tokenize(*m, lengthy, false, false), false), lengthy);
}

TEST("model/tokenizer: a SentencePiece vocabulary adds its BOS on request") {
    const auto m = with_vocabulary("llama-spm");
    const auto plain = tokenize(*m, "Hello world", false, false), special = tokenize(*m, "Hello world", true, false);
    CHECK_EQ(special.size(), plain.size() + 1);
    CHECK_EQ(special.front(), 1);
}

TEST("model/tokenizer: the byte vocabulary applies its merges, and tokens out of range are errors") {
    const auto m = tiny::load("llama");
    CHECK((tokenize(*m, "the", false, false) == std::vector<int32_t>{257}));
    CHECK((tokenize(*m, " the", false, false) == std::vector<int32_t>{258}));
    CHECK_ERROR("TOKEN_OUT_OF_RANGE", token_bytes(*m, -1, true));
    CHECK_ERROR("TOKEN_OUT_OF_RANGE", token_bytes(*m, tiny::n_tokens, true));
    CHECK_ERROR("TOKEN_OUT_OF_RANGE", detokenize(*m, {1, 2, 100000}, true));
}

TEST("model/info: describes the file") {
    const auto m = tiny::load("qwen3", "Q8_0");
    const model_info info = describe(*m);
    CHECK_EQ(info.architecture, std::string("qwen3"));
    CHECK_EQ(info.name, std::string("tiny qwen3"));
    CHECK_EQ(info.context_length, int64_t(512));
    CHECK_EQ(info.embedding_length, int64_t(64));
    CHECK_EQ(info.layers, int64_t(2));
    CHECK_EQ(info.vocabulary_size, int64_t(tiny::n_tokens));
    CHECK(info.chat_template && info.chat_template->find("im_start") != std::string::npos);
    CHECK(info.eos_token && *info.eos_token == tiny::im_end);
    CHECK(!info.add_bos && !info.add_eos);
    const std::map<std::string, int64_t> targets = {{"attn_q", 2},   {"attn_k", 2}, {"attn_v", 2},   {"attn_output", 2},
                                                    {"ffn_gate", 2}, {"ffn_up", 2}, {"ffn_down", 2}, {"output", 1}};
    CHECK(info.trainable_targets == targets);
    CHECK_EQ(info.tensors.size(), size_t(3 + 2 * 11));
    CHECK_EQ(info.metadata.at("qwen3.block_count"), std::string("2"));
    uint64_t parameters = 0;
    for (const auto & t : info.tensors) {
        uint64_t n = 1;
        for (const int64_t length : t.shape) n *= uint64_t(length);
        parameters += n;
        CHECK_EQ(t.type, std::string(t.shape.size() == 1 ? "F32" : "Q8_0"));
    }
    CHECK_EQ(info.parameters, parameters);
    CHECK_EQ(std::string(ggml_get_name(find_weight(*m, "blk.1.attn_k.weight"))), std::string("blk.1.attn_k.weight"));
    CHECK(find_weight(*m, "blk.9.attn_k.weight") == nullptr);
}

TEST("model/weights: expert stacks are targets; norms, convolutions and embeddings are not") {
    const ggml_init_params params = {1u << 16, nullptr, true};
    ggml_context * ctx = ggml_init(params);
    const auto kind = [&](const char * name, int64_t n_rows, int64_t n_stack) {
        ggml_tensor * t = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, 8, n_rows, n_stack);
        ggml_set_name(t, name);
        return target_kind(t);
    };
    CHECK_EQ(kind("blk.11.ffn_up_exps.weight", 8, 4), std::string("ffn_up_exps"));
    CHECK_EQ(kind("blk.0.attn_qkv.weight", 8, 1), std::string("attn_qkv"));
    CHECK_EQ(kind("blk.0.ssm_in.weight", 8, 1), std::string("ssm_in"));
    CHECK_EQ(kind("output.weight", 8, 1), std::string("output"));
    for (const char * name :
         {"blk.0.attn_q.bias", "token_embd.weight", "output_norm.weight", "blk.0.ssm_conv1d.weight",
          "blk.0.attn_q_norm.weight", "blk.x.attn_q.weight", "blk.attn_q.weight", "attn_q.weight"}) {
        CHECK_EQ(kind(name, 8, 1), std::string());
    }
    CHECK_EQ(kind("blk.0.attn_q.weight", 1, 1), std::string());
    ggml_free(ctx);
}
