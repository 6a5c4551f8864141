// What was trained is what stock llama.cpp then runs: adapter file -> llama_adapter_lora_init -> llama_decode.

#include "train/trainer.h"

#include "data/loader.h"
#include "data/write-token-file.h"
#include "graph/forward.h"
#include "harness.h"
#include "lora/adapter-file.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"

#include "llama-cpp.h"
#include "llama.h"

using namespace llamatune;

namespace {

std::string train_tiny(const std::shared_ptr<model> & m, const std::string & name, bool rs_lora) {
    std::vector<harness::token_sample> samples(8);
    for (int i = 0; i < 8; i++) samples[size_t(i)] = harness::counting_sample(i * 20, 24);
    train_options o;
    o.lora.targets = { "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down" };
    o.lora.rs_lora = rs_lora;
    o.train_file = harness::write_token_file(name + ".tok", samples);
    o.sequence_length = 24;
    o.n_threads = 1;
    o.learning_rates.assign(10, 1e-2f);
    o.output = tiny::scratch(name + ".gguf");
    const std::atomic<bool> stop { false };
    run_training(m, o, [](const train_event &) {}, stop);
    return o.output;
}

// of the last position
std::vector<float> decode(const model & m, const std::string & adapter, const micro_batch & batch) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = batch.sequence_length;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.n_threads = params.n_threads_batch = 1;
    llama_adapter_lora_ptr lora { adapter.empty() ? nullptr : llama_adapter_lora_init(m.handle(), adapter.c_str()) };
    CHECK(adapter.empty() || lora);
    llama_context_ptr ctx { llama_init_from_model(m.handle(), params) };
    CHECK(ctx != nullptr);
    if (lora) {
        llama_adapter_lora * raw = lora.get();
        float scale = 1.0f;
        CHECK_EQ(llama_set_adapters_lora(ctx.get(), &raw, 1, &scale), 0);
    }
    std::vector<llama_token> tokens(batch.tokens);
    CHECK_EQ(llama_decode(ctx.get(), llama_batch_get_one(tokens.data(), int32_t(tokens.size()))), 0);
    const float * logits = llama_get_logits_ith(ctx.get(), -1);
    return { logits, logits + llama_vocab_n_tokens(llama_model_get_vocab(m.handle())) };
}

std::vector<float> training_graph(const std::shared_ptr<model> & m, const std::string & file, const micro_batch & batch) {
    const auto lora = read_adapter(file, m);
    compute devices(*m, 1);
    forward graph(m, lora->handle(), { 1, batch.sequence_length, false }, devices);
    const forward::head head = graph.build_head(graph.context(), graph.hidden());
    ggml_cgraph * run = ggml_new_graph_custom(graph.context(), 8192, false);
    ggml_set_output(head.logits);
    ggml_build_forward_expand(run, head.logits);
    const auto scheduler = devices.new_scheduler(16384);
    allocate_graph(scheduler.get(), run, "the test");
    graph.set_batch(batch);
    run_graph(scheduler.get(), run);
    std::vector<float> last(size_t(head.logits->ne[0]));
    ggml_backend_tensor_get(head.logits, last.data(), (batch.sequence_length - 1) * head.logits->nb[1], head.logits->nb[1]);
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
    for (const char * type : { "F32", "Q8_0" }) {
        for (bool rs_lora : { false, true }) {
            const auto m = tiny::load("qwen3", type);
            const std::string file = train_tiny(m, std::string("parity-") + type + (rs_lora ? "-rs" : ""), rs_lora);
            const micro_batch batch = tiny_batch(*m, 1, 24);
            const auto stock = decode(*m, file, batch);
            CHECK(largest_difference(stock, training_graph(m, file, batch)) < 1e-4);
            CHECK(largest_difference(stock, decode(*m, "", batch)) > 0.05); // and it learned something
        }
    }
}

TEST("train: a fresh adapter changes no logit") {
    const auto m = tiny::load("llama");
    adapter_options options;
    options.targets = { "attn_q", "attn_v", "ffn_down" };
    const std::string file = tiny::scratch("fresh.gguf");
    write_adapter(file, *adapter::create(m, options));
    const micro_batch batch = tiny_batch(*m, 1, 24);
    CHECK(decode(*m, file, batch) == decode(*m, "", batch));
}

TEST("train: continuing from an adapter starts where it ended") {
    const auto m = tiny::load("llama");
    const std::string file = train_tiny(m, "continued", false);
    const micro_batch batch = tiny_batch(*m, 1, 24);
    train_options o;
    o.lora.init_adapter = file;
    o.train_file = harness::write_token_file("continued-zero.tok", { harness::counting_sample(3, 24) });
    o.sequence_length = 24;
    o.batch_size = 1;
    o.n_threads = 1;
    o.learning_rates.assign(1, 0.0f);
    o.output = tiny::scratch("continued-again.gguf");
    const std::atomic<bool> stop { false };
    run_training(m, o, [](const train_event &) {}, stop);
    CHECK(decode(*m, o.output, batch) == decode(*m, file, batch));
}
