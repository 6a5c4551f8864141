// What was trained is what stock llama.cpp then runs: adapter file -> llama_adapter_lora_init -> llama_decode.

#include "train/run.h"

#include "adapter/adapter-file.h"
#include "core/graph-builder.h"
#include "data/loader.h"
#include "data/write-token-file.h"
#include "graph/forward.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"

#include "llama-cpp.h"
#include "llama.h"

using namespace llamatune;

namespace {

struct trained {
    std::string file;
    double first_loss, last_loss;
};

trained train_tiny(const std::shared_ptr<model> & m, const std::string & name, bool rs_lora,
                   std::vector<std::string> targets = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate",
                                                       "ffn_up", "ffn_down"}) {
    std::vector<harness::token_sample> samples(8);
    for (int i = 0; i < 8; i++) samples[size_t(i)] = harness::counting_sample(i * 20, 24);
    train_options o;
    o.lora.targets = std::move(targets);
    o.lora.rs_lora = rs_lora;
    o.train_file = harness::write_token_file(name + ".tok", samples);
    o.sequence_length = 24;
    o.n_threads = 1;
    o.learning_rates.assign(10, 1e-2f);
    o.output = tiny::scratch(name + ".gguf");
    const std::atomic<bool> stop{false};
    std::vector<double> losses;
    run_training(
        m, o,
        [&](const train_event & event) {
            if (const auto * step = std::get_if<step_event>(&event)) losses.push_back(step->loss);
        },
        stop);
    return {o.output, losses.front(), losses.back()};
}

// of the last position
std::vector<float> decode(const model & m, const std::string & adapter, const micro_batch & batch) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = batch.sequence_length;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.n_threads = params.n_threads_batch = 1;
    llama_adapter_lora_ptr lora{adapter.empty() ? nullptr : llama_adapter_lora_init(m.handle(), adapter.c_str())};
    CHECK(adapter.empty() || lora);
    llama_context_ptr ctx{llama_init_from_model(m.handle(), params)};
    CHECK(ctx != nullptr);
    if (lora) {
        llama_adapter_lora * raw = lora.get();
        float scale = 1.0f;
        CHECK_EQ(llama_set_adapters_lora(ctx.get(), &raw, 1, &scale), 0);
    }
    std::vector<llama_token> tokens(batch.tokens);
    CHECK_EQ(llama_decode(ctx.get(), llama_batch_get_one(tokens.data(), int32_t(tokens.size()))), 0);
    const float * logits = llama_get_logits_ith(ctx.get(), -1);
    return {logits, logits + llama_vocab_n_tokens(llama_model_get_vocab(m.handle()))};
}

std::vector<float> training_graph(const std::shared_ptr<model> & m, const std::string & file,
                                  const micro_batch & batch) {
    const auto lora = read_adapter(file, m);
    compute devices(*m, 1);
    forward graph(m, lora->handle(), {1, batch.sequence_length, false}, devices);
    graph_builder builder;
    const forward::head head = graph.build_head(builder.ctx(), graph.hidden());
    ggml_set_output(head.logits);
    builder.expand(head.logits);
    ggml_cgraph * run = builder.finish();
    const auto scheduler = devices.new_scheduler(builder.size());
    allocate_graph(scheduler.get(), run, "the test");
    graph.set_batch(batch);
    run_graph(scheduler.get(), run);
    std::vector<float> last(size_t(head.logits->ne[0]));
    ggml_backend_tensor_get(head.logits, last.data(), (batch.sequence_length - 1) * head.logits->nb[1],
                            head.logits->nb[1]);
    return last;
}

double largest_difference(const std::vector<float> & a, const std::vector<float> & b) {
    CHECK_EQ(a.size(), b.size());
    double most = 0;
    for (size_t i = 0; i < a.size(); i++) most = std::max(most, double(std::fabs(a[i] - b[i])));
    return most;
}

}

TEST("train: stock llama.cpp gives the trained logits with the written adapter") {
    for (const char * type : {"F32", "Q8_0"}) {
        for (bool rs_lora : {false, true}) {
            const auto m = tiny::load("qwen3", type);
            const std::string file =
                train_tiny(m, std::string("parity-") + type + (rs_lora ? "-rs" : ""), rs_lora).file;
            const micro_batch batch = tiny_batch(*m, 1, 24);
            const auto stock = decode(*m, file, batch);
            CHECK(largest_difference(stock, training_graph(m, file, batch)) < 1e-4);
            CHECK(largest_difference(stock, decode(*m, "", batch)) > 0.05); // and it learned something
        }
    }
}

TEST("train: pairs of experts and of the router learn, and stock llama.cpp gives their logits") {
    for (const char * type : {"F32", "Q8_0"}) {
        const auto m = tiny::load("qwen3moe", type);
        for (const std::vector<std::string> & targets :
             {std::vector<std::string>{"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"},
              std::vector<std::string>{"ffn_gate_inp"},
              std::vector<std::string>{"attn_q", "ffn_gate_inp", "ffn_down_exps"}}) {
            const trained t =
                train_tiny(m, std::string("experts-") + type + std::to_string(targets.size()), false, targets);
            CHECK(t.last_loss < t.first_loss - 0.01);
            const micro_batch batch = tiny_batch(*m, 1, 24);
            const auto stock = decode(*m, t.file, batch);
            // 8-bit activations make scores of experts that are close take turns: F32 decides alike
            const double close = std::string(type) == "F32" ? 1e-4 : 1e-3;
            CHECK(largest_difference(stock, training_graph(m, t.file, batch)) < close);
            CHECK(largest_difference(stock, decode(*m, "", batch)) > 0.01);
        }
    }
}

TEST("train: each expert's pair is its own") {
    const auto m = tiny::load("qwen3moe");
    adapter_options options;
    options.targets = {"ffn_up_exps"};
    const auto lora = adapter::create(m, options);
    for (const lora_pair & pair : lora->pairs()) {
        std::vector<float> a(size_t(ggml_nelements(pair.a)));
        ggml_backend_tensor_get(pair.a, a.data(), 0, ggml_nbytes(pair.a));
        const size_t one = a.size() / 8;
        for (size_t e = 1; e < 8; e++) CHECK(!std::equal(a.begin(), a.begin() + one, a.begin() + e * one));
    }
}

TEST("train: a fresh adapter changes no logit") {
    const auto m = tiny::load("llama");
    adapter_options options;
    options.targets = {"attn_q", "attn_v", "ffn_down"};
    const std::string file = tiny::scratch("fresh.gguf");
    write_adapter(file, *adapter::create(m, options));
    const micro_batch batch = tiny_batch(*m, 1, 24);
    CHECK(decode(*m, file, batch) == decode(*m, "", batch));
}

TEST("train: continuing from an adapter starts where it ended") {
    const auto m = tiny::load("llama");
    const std::string file = train_tiny(m, "continued", false).file;
    const micro_batch batch = tiny_batch(*m, 1, 24);
    train_options o;
    o.lora.init_adapter = file;
    o.train_file = harness::write_token_file("continued-zero.tok", {harness::counting_sample(3, 24)});
    o.sequence_length = 24;
    o.batch_size = 1;
    o.n_threads = 1;
    o.learning_rates.assign(1, 0.0f);
    o.output = tiny::scratch("continued-again.gguf");
    const std::atomic<bool> stop{false};
    run_training(m, o, [](const train_event &) {}, stop);
    CHECK(decode(*m, o.output, batch) == decode(*m, file, batch));
}

TEST("train: an adapter that is continued keeps its rank, scale and targets, and its file says so") {
    const auto m = tiny::load("llama");
    adapter_options options;
    options.rank = 3;
    options.alpha = 5.0f;
    options.rs_lora = true;
    options.targets = {"attn_q", "ffn_down"};
    train_options o;
    o.lora.init_adapter = tiny::scratch("continue-from.gguf");
    write_adapter(*o.lora.init_adapter, *adapter::create(m, options));
    o.train_file = harness::write_token_file("continue.tok", {harness::counting_sample(3, 24)});
    o.sequence_length = 24;
    o.batch_size = 1;
    o.n_threads = 1;
    o.learning_rates.assign(1, 1e-3f);
    o.output = tiny::scratch("continue-to.gguf");
    const std::atomic<bool> stop{false};
    run_training(m, o, [](const train_event &) {}, stop);
    const adapter_header before(*o.lora.init_adapter), after(o.output);
    CHECK(after.rank() == 3 && after.rs_lora == true && after.alpha == before.alpha);
    CHECK_EQ(after.file.integer("llamatune.lora.rank", 0), 3);
    CHECK_EQ(after.pairs.size(), before.pairs.size());

    o.lora.rank = 8; // a default that a caller spells out is refused like any other value
    o.lora.alpha = 16.0f;
    CHECK_ERROR("CONFIG_INVALID", run_training(m, o, [](const train_event &) {}, stop));
    o.lora.rank = 3;
    o.lora.alpha = 5.0f;
    o.lora.targets = {"attn_q", "ffn_down"};
    run_training(m, o, [](const train_event &) {}, stop);
}
