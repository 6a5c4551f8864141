// Stock llama.cpp runs what was trained: adapter file -> llama_adapter_lora_init -> llama_decode.

#include "train/run.h"

#include "adapter/adapter-file.h"
#include "data/loader.h"
#include "data/write-token-file.h"
#include "graph/logits.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"

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

std::vector<float> last_row(const std::vector<float> & logits, const micro_batch & batch) {
    const size_t n_vocab = logits.size() / batch.shape.sequence_length;
    return {logits.end() - std::ptrdiff_t(n_vocab), logits.end()};
}

// Returns the logits of the last position by stock llama.cpp.
std::vector<float> decode(const model & m, const std::string & adapter, const micro_batch & batch) {
    return last_row(logits::by_decode(m, batch, adapter), batch);
}

// Returns the logits of the last position by the training graph.
std::vector<float> training_graph(const std::shared_ptr<model> & m, const std::string & file,
                                  const micro_batch & batch) {
    const auto lora = read_adapter(file, m);
    return last_row(logits::by_training_graph(m, batch, lora->handle()), batch);
}

double largest_difference(const std::vector<float> & a, const std::vector<float> & b) {
    CHECK_EQ(a.size(), b.size());
    double most = 0;
    for (size_t i = 0; i < a.size(); i++) most = std::max(most, double(std::fabs(a[i] - b[i])));
    return most;
}

}

TEST("train: stock llama.cpp gives the trained logits with the adapter file") {
    for (const char * type : {"F32", "Q8_0"}) {
        for (bool rs_lora : {false, true}) {
            const auto m = tiny::load("qwen3", type);
            const std::string file =
                train_tiny(m, std::string("parity-") + type + (rs_lora ? "-rs" : ""), rs_lora).file;
            const micro_batch batch = tiny_batch(*m, 1, 24);
            const auto stock = decode(*m, file, batch);
            CHECK(largest_difference(stock, training_graph(m, file, batch)) < 1e-4);
            CHECK(largest_difference(stock, decode(*m, "", batch)) > 0.05); // the adapter has learned something
        }
    }
}

TEST("train: LoRA pairs of experts and of the router learn, and stock llama.cpp gives their logits") {
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
            // with 8-bit activations, experts with close scores may be chosen differently; with F32 they are not
            const double close = std::string(type) == "F32" ? 1e-4 : 1e-3;
            CHECK(largest_difference(stock, training_graph(m, t.file, batch)) < close);
            CHECK(largest_difference(stock, decode(*m, "", batch)) > 0.01);
        }
    }
}

TEST("train: each expert has a separate pair") {
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

TEST("train: a new adapter changes no logit") {
    const auto m = tiny::load("llama");
    adapter_options options;
    options.targets = {"attn_q", "attn_v", "ffn_down"};
    const std::string file = tiny::scratch("fresh.gguf");
    write_adapter(file, *adapter::create(m, options));
    const micro_batch batch = tiny_batch(*m, 1, 24);
    CHECK(decode(*m, file, batch) == decode(*m, "", batch));
}

TEST("train: continuing an adapter starts with its final loss") {
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

TEST("train: a continued adapter keeps its rank, scale and targets, and its file records them") {
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

    o.lora.rank = 8; // a default value that is given explicitly is refused like any other value
    o.lora.alpha = 16.0f;
    CHECK_ERROR("CONFIG_INVALID", run_training(m, o, [](const train_event &) {}, stop));
    o.lora.rank = 3;
    o.lora.alpha = 5.0f;
    o.lora.targets = {"attn_q", "ffn_down"};
    run_training(m, o, [](const train_event &) {}, stop);
}
