#include "harness.h"

#include "adapter/targets.h"
#include "core/error.h"

#include <llama.h>

#include <algorithm>

using namespace llamatune;

namespace {

std::shared_ptr<model> load(const std::string & architecture) {
    load_options options;
    options.path = harness::arch_model(architecture);
    return model::load(options);
}

std::vector<std::string> names_of(const model & base, const std::vector<std::string> & entries) {
    std::vector<std::string> names;
    for (const lora_target & t : match_targets(base, entries)) names.push_back(t.name);
    return names;
}

// "blk.0.<kind>.weight", "blk.1.<kind>.weight", …
std::vector<std::string> in_every_block(const model & base, const std::string & kind) {
    std::vector<std::string> names;
    for (int i = 0; i < llama_model_n_layer(base.handle()); i++) {
        names.push_back("blk." + std::to_string(i) + "." + kind + ".weight");
    }
    return names;
}

}

TEST("adapter/targets: a kind names exactly that weight of every block") {
    const auto qwen3 = load("qwen3"); // has attn_q_norm too
    CHECK(names_of(*qwen3, {"attn_q"}) == in_every_block(*qwen3, "attn_q"));
    CHECK(names_of(*qwen3, {"attn_output"}) == in_every_block(*qwen3, "attn_output"));
    const auto llama = load("llama");
    CHECK((names_of(*llama, {"output"}) == std::vector<std::string>{"output.weight"}));
    CHECK((names_of(*llama, {"output.weight"}) == std::vector<std::string>{"output.weight"}));
}

TEST("adapter/targets: patterns cover the whole tensor name") {
    const auto llama = load("llama");
    CHECK((names_of(*llama, {"blk.0.ffn_*.weight"}) ==
           std::vector<std::string>{"blk.0.ffn_down.weight", "blk.0.ffn_gate.weight", "blk.0.ffn_up.weight"}));
    CHECK((names_of(*llama, {"blk.1.attn_?.weight"}) ==
           std::vector<std::string>{"blk.1.attn_k.weight", "blk.1.attn_q.weight", "blk.1.attn_v.weight"}));
    CHECK_ERROR("TARGET_UNKNOWN", match_targets(*llama, {"attn_*"}));
    // A pattern selects everything that can have a pair, so norms and embeddings are skipped.
    std::vector<std::string> kinds = target_kinds(*llama);
    CHECK(names_of(*llama, {"*"}) == names_of(*llama, kinds));
    CHECK((kinds == std::vector<std::string>{"attn_k", "attn_output", "attn_q", "attn_v", "ffn_down", "ffn_gate",
                                             "ffn_up", "output"}));
}

TEST("adapter/targets: weights are listed once, by block and name, for any order of the entries") {
    const auto llama = load("llama");
    const auto names = names_of(*llama, {"ffn_up", "attn_q", "blk.*.attn_q.weight", "attn_q"});
    CHECK(names == names_of(*llama, {"attn_q", "ffn_up"}));
    CHECK_EQ(names.size(), 2 * (size_t)llama_model_n_layer(llama->handle()));
    CHECK_EQ(names[0], "blk.0.attn_q.weight");
    CHECK_EQ(names[1], "blk.0.ffn_up.weight");
    CHECK_EQ(names[2], "blk.1.attn_q.weight");
}

TEST("adapter/targets: experts are stacks of matrices") {
    const auto moe = load("llama-moe");
    const auto targets = match_targets(*moe, {"ffn_down_exps"});
    CHECK_EQ(targets.size(), (size_t)llama_model_n_layer(moe->handle()));
    CHECK(targets[0].weight->ne[2] > 1);
}

TEST("adapter/targets: an invalid target is an error that lists the valid ones") {
    const auto qwen3 = load("qwen3");
    CHECK_ERROR("NO_TARGETS", match_targets(*qwen3, {}));
    CHECK_ERROR("TARGET_UNKNOWN", match_targets(*qwen3, {""}));
    CHECK_ERROR("TARGET_UNKNOWN", match_targets(*qwen3, {"attn_qq"}));
    CHECK_ERROR("TARGET_UNKNOWN", match_targets(*qwen3, {"attn_q", "blk.99.attn_q.weight"}));
    CHECK_ERROR("TARGET_UNSUPPORTED", match_targets(*qwen3, {"token_embd"}));
    CHECK_ERROR("TARGET_UNSUPPORTED", match_targets(*qwen3, {"attn_q_norm"}));
    CHECK_ERROR("TARGET_UNSUPPORTED", match_targets(*qwen3, {"blk.*_norm.weight"}));
    try {
        match_targets(*qwen3, {"q_proj", "attn_q", "v_proj"});
    } catch (const error & e) {
        const std::string what = e.what();
        CHECK(what.find("'q_proj', 'v_proj'") != std::string::npos);
        CHECK(what.find("attn_q") == std::string::npos);
        CHECK(e.hint().find("'attn_q'") != std::string::npos);
        CHECK(e.hint().find("norm") == std::string::npos);
        return;
    }
    CHECK(!"an error");
}
