// The counts of chosen experts in training and generation, against the router's logits of llama.cpp's own forward pass.

#include "generate/greedy.h"
#include "harness.h"
#include "model/expert-counter.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <llama-cpp.h>
#include <llama-model.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

using namespace llamatune;

namespace {

constexpr size_t n_used = 2; // of the 8 experts of the tiny model

// Runs llama.cpp's forward pass and counts the experts with the highest router logits of each token.
class reference {
public:
    explicit reference(const model & m, bool all_outputs) : all_outputs_(all_outputs) {
        llama_context_params params = llama_context_default_params();
        params.n_ctx = params.n_batch = params.n_ubatch = 512;
        params.cb_eval = on_node;
        params.cb_eval_user_data = this;
        context_.reset(llama_init_from_model(m.handle(), params));
    }

    // Continues the sequence. Without all_outputs only the last token has logits.
    void decode(const std::vector<int32_t> & tokens) {
        llama_batch batch = llama_batch_init(int32_t(tokens.size()), 0, 1);
        batch.n_tokens = int32_t(tokens.size());
        for (size_t i = 0; i < tokens.size(); i++) {
            batch.token[i] = tokens[i];
            batch.pos[i] = position_++;
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = 0;
            batch.logits[i] = all_outputs_ || i + 1 == tokens.size();
        }
        CHECK_EQ(llama_decode(context_.get(), batch), 0);
        llama_batch_free(batch);
    }
    void clear() {
        llama_memory_clear(llama_get_memory(context_.get()), true);
        position_ = 0;
    }

    const std::map<int32_t, std::vector<int64_t>> & counts() const { return counts_; }

private:
    static bool on_node(ggml_tensor * node, bool ask, void * self) {
        constexpr char name[] = "ffn_moe_logits-";
        const bool wanted = !std::strncmp(node->name, name, sizeof(name) - 1);
        if (wanted && !ask) static_cast<reference *>(self)->add(std::atoi(node->name + sizeof(name) - 1), node);
        return wanted || !ask;
    }

    void add(int32_t layer, const ggml_tensor * node) {
        const auto n_experts = size_t(node->ne[0]);
        std::vector<float> logits(size_t(ggml_nelements(node)));
        ggml_backend_tensor_get(node, logits.data(), 0, logits.size() * sizeof(float));
        std::vector<int64_t> & counts = counts_[layer];
        counts.resize(n_experts);
        for (size_t first = 0; first < logits.size(); first += n_experts) {
            std::vector<size_t> order(n_experts);
            std::iota(order.begin(), order.end(), 0);
            std::sort(order.begin(), order.end(),
                      [&](size_t a, size_t b) { return logits[first + a] > logits[first + b]; });
            for (size_t i = 0; i < n_used; i++) counts[order[i]]++;
        }
    }

    bool all_outputs_;
    llama_context_ptr context_;
    int32_t position_ = 0;
    std::map<int32_t, std::vector<int64_t>> counts_;
};

void check_equal(const std::vector<layer_experts> & found, const reference & expected) {
    CHECK_EQ(found.size(), size_t(2)); // layers
    for (const layer_experts & each : found) CHECK(each.counts == expected.counts().at(each.layer));
}

int64_t total(const layer_experts & layer) { return std::accumulate(layer.counts.begin(), layer.counts.end(), 0ll); }

}

TEST("train/expert-counts: steps count the experts of every token but padding, once with gradient checkpointing") {
    const auto m = tiny::load("qwen3moe");
    constexpr uint32_t length = 48, n_padding = 11;
    micro_batch batch = tiny_batch(*m, 2, length);
    std::vector<int32_t> second(batch.tokens.begin() + length, batch.tokens.end() - n_padding);
    std::fill(batch.segment_id.end() - n_padding, batch.segment_id.end(), -1);
    batch.target_position.resize(batch.target_position.size() - n_padding);
    batch.target_token.resize(batch.target_position.size());
    batch.target_weight.resize(batch.target_position.size());
    reference expected(*m, true);
    expected.decode({batch.tokens.begin(), batch.tokens.begin() + length});
    expected.clear();
    expected.decode(second);

    for (const bool recompute : {false, true}) {
        expert_counter counter(*m);
        tiny::training_options options;
        options.targets = {"attn_q", "ffn_up_exps"};
        options.step.recompute = recompute;
        options.step.experts = &counter;
        tiny::training training(m, batch, options, false); // B is zero: the model computes as without an adapter
        CHECK(counter.layers().empty());
        training.run(batch, 1.0);
        check_equal(counter.layers(), expected);
        CHECK_EQ(total(counter.layers()[0]), int64_t(n_used * (2 * length - n_padding)));
        training.loss(batch); // a forward pass only, as for an evaluation, does not count
        check_equal(counter.layers(), expected);
        training.run(batch, 1.0);
        CHECK_EQ(total(counter.layers()[1]), int64_t(2 * n_used * (2 * length - n_padding)));
    }
}

TEST("train/expert-counts: generation counts the experts of prompts and generated tokens") {
    const auto m = tiny::load("qwen3moe");
    one_prompt o = greedy(*m, "the theory of the thing", 12);
    o.expert_statistics = true;
    prompt_queue prompts;
    prompts.add({0, o.prompt, {o.sampling.seed}});
    prompts.close();
    std::vector<int32_t> generated;
    const auto on_event = [&](const generation_event & event) {
        if (const auto * end = std::get_if<sequence_result>(&event)) generated = end->tokens;
    };
    const generation_totals totals = generate(m, o, prompts, on_event, never);
    CHECK_EQ(generated.size(), size_t(12));
    CHECK(totals.experts.has_value());

    reference expected(*m, false);
    expected.decode(o.prompt);
    for (size_t i = 0; i + 1 < generated.size(); i++) expected.decode({generated[i]});
    check_equal(*totals.experts, expected);
    // The last layer computes only the tokens whose logits are needed.
    CHECK_EQ(total((*totals.experts)[0]), int64_t(n_used * (o.prompt.size() + 11)));
    CHECK_EQ(total((*totals.experts)[1]), int64_t(n_used * 12));
}

TEST("train/expert-counts: GroveMoE counts a choice once, although its graph repeats it for small experts") {
    const auto m = model::load({harness::arch_model("grovemoe-moe")});
    const micro_batch batch = tiny_batch(*m, 2, 48);
    expert_counter counter(*m);
    tiny::training_options options;
    options.targets = {"attn_q"};
    options.step.experts = &counter;
    tiny::training training(m, batch, options, false);
    for (int64_t step = 1; step <= 2; step++) {
        training.run(batch, 1.0);
        const std::vector<layer_experts> layers = counter.layers();
        CHECK_EQ(layers.size(), size_t(m->handle()->hparams.n_layer()));
        for (const layer_experts & each : layers) {
            CHECK_EQ(total(each), step * int64_t(m->handle()->hparams.n_expert_used()) * 2 * 48);
        }
    }
}

TEST("train/expert-counts: a dense model has no layers with experts, and nothing is counted unless asked") {
    const auto count = [](const char * architecture, bool asked) {
        const auto m = tiny::load(architecture);
        one_prompt o = greedy(*m, "the", 2);
        o.expert_statistics = asked;
        prompt_queue prompts;
        prompts.add({0, o.prompt, {o.sampling.seed}});
        prompts.close();
        return generate(m, o, prompts, nullptr, never).experts;
    };
    CHECK(count("qwen3", true)->empty());
    CHECK(!count("qwen3moe", false).has_value());
}
