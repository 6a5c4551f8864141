#include "check/test-device.h"

#include "backends/choose.h"
#include "core/error.h"
#include "core/rng.h"
#include "generate/context.h"
#include "model-tools/create.h"
#include "model-tools/quantize.h"
#include "model-tools/recipe.h"
#include "optim/optimizer.h"
#include "train/step.h"
#include "train/trainable-weights.h"

#include <llama.h>

#include <cmath>
#include <filesystem>
#include <map>

namespace llamatune {

namespace {

namespace fs = std::filesystem;

constexpr int32_t n_vocab = 256;
constexpr uint32_t n_rows = 2, row_length = 24;
constexpr int32_t training_steps = 10;
constexpr float training_rate = 1e-2f;

// Many devices multiply with factors in F16, BF16 or 8 bits, which gives errors of about 2 %.
constexpr double tolerance = 4e-2;

struct tested_model {
    const char * architecture;
    const char * type;
};
constexpr tested_model tested_models[] = {
    {"llama", "F16"}, {"llama", "Q4_K_M"}, {"qwen3", "Q8_0"}, {"gemma3", "Q4_K_M"}, {"qwen3moe", "Q8_0"}};

create_options options_of(const tested_model & m, const std::string & path) {
    create_options o;
    o.path = path;
    o.architecture = m.architecture;
    o.vocabulary = numbered_vocabulary(n_vocab);
    o.context_length = 512;
    o.embedding_length = 256; // the fewest for K-quants
    o.layers = 2;
    o.heads = 4;
    o.kv_heads = 2;
    o.head_length = 64;
    o.feed_forward_length = 512;
    // Every token uses all experts: where two experts have nearly equal scores, rounding would select another one.
    o.experts = o.used_experts = 4;
    o.expert_feed_forward_length = 256;
    o.init_std = 0.05f;
    return o;
}

micro_batch random_batch() {
    rng random(7);
    micro_batch batch;
    batch.shape.n_rows = batch.n_filled_rows = batch.n_samples = n_rows;
    batch.shape.sequence_length = row_length;
    batch.n_tokens = n_rows * row_length;
    for (uint32_t i = 0; i < batch.n_tokens; i++) {
        batch.tokens.push_back(int32_t(random.below(n_vocab)));
        batch.positions.push_back(int32_t(i % row_length));
        batch.segment_id.push_back(0);
    }
    for (uint32_t i = 0; i < batch.n_tokens; i++) {
        if (i % row_length == row_length - 1) continue; // a row's last token predicts nothing
        batch.target_position.push_back(int32_t(i));
        batch.target_token.push_back(batch.tokens[i + 1]);
        batch.target_weight.push_back(1.0f);
    }
    return batch;
}

using values_by_name = std::map<std::string, std::vector<float>>;

// ‖a - b‖ / ‖b‖
double relative_error(const std::vector<float> & a, const std::vector<float> & b) {
    double difference = 0, length = 0;
    for (size_t i = 0; i < b.size(); i++) {
        difference += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
        length += double(b[i]) * double(b[i]);
    }
    return std::sqrt(difference / length);
}

// LoRA on all matrices of the layers, experts included.
train_options lora_options(const std::string & architecture) {
    train_options o;
    o.lora.rank = 4;
    o.lora.alpha = 8.0f;
    o.lora.targets = {"all-linear"};
    if (has_experts(architecture))
        for (const char * kind : {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"}) o.lora.targets->push_back(kind);
    o.layout = batch_layout::padded;
    o.micro_batch_size = n_rows;
    o.sequence_length = row_length;
    return o;
}

// LoRA training of a model on one batch.
class tiny_run {
public:
    tiny_run(const std::shared_ptr<model> & m, const std::string & architecture, rule_mode rules)
        : options_(lora_options(architecture)), devices_(*m, 0), weights_(m, options_), batch_(random_batch()) {
        auto graph = std::make_unique<forward>(m, weights_.adapter_handle(), batch_shape{n_rows, row_length}, devices_);
        weights_.collect(*graph);
        move_b();
        step_options settings;
        settings.gradient.rules = rules;
        step_ = std::make_unique<step>(std::move(graph), devices_, &weights_.parameters(), settings);
    }

    // Computes the gradients of the mean loss, which it returns.
    double run() {
        weights_.parameters().zero_gradients();
        const double n_targets = double(batch_.target_token.size());
        return step_->run(batch_, 1 / n_targets) / n_targets;
    }

    values_by_name gradients() const {
        values_by_name all;
        for (const parameter & p : weights_.parameters().all()) {
            std::vector<float> & values = all[p.name];
            values.resize(size_t(ggml_nelements(p.gradient)));
            ggml_backend_tensor_get(p.gradient, values.data(), 0, ggml_nbytes(p.gradient));
        }
        return all;
    }

    // Trains on the batch and returns its loss after that.
    double train(const std::atomic<bool> & stop) {
        optimizer optim(weights_.parameters(), options_.optimizer, devices_);
        for (int32_t i = 1; i <= training_steps; i++) {
            if (stop) throw error("ABORTED", "the test was aborted");
            run();
            optim.gradient_norm();
            optim.update(i, training_rate, 1.0);
        }
        return run();
    }

private:
    // A new adapter's B is zero, and then so is the gradient of A.
    void move_b() {
        rng random(17);
        for (const parameter & p : weights_.parameters().all()) {
            if (p.name.find(".lora_b") == std::string::npos) continue;
            std::vector<float> b(size_t(ggml_nelements(p.value)));
            random.fill_normal(b.data(), b.size(), 0.2f);
            ggml_backend_tensor_set(p.value, b.data(), 0, ggml_nbytes(p.value));
        }
    }

    train_options options_;
    compute devices_;
    trainable_weights weights_;
    micro_batch batch_;
    std::unique_ptr<step> step_;
};

// The logits after a prompt and after each of some further tokens.
std::vector<float> logits_of(const std::shared_ptr<model> & m, const std::atomic<bool> & stop) {
    inference_context context(m, {128, 64}, nullptr, stop);
    std::vector<int32_t> prompt;
    for (int32_t i = 0; i < 48; i++) prompt.push_back(i * 37 % n_vocab);
    context.decode_all(prompt.data(), prompt.size());
    std::vector<float> all;
    for (int32_t next = 11; next < 15; next++) {
        const float * logits = llama_get_logits_ith(context.handle(), -1);
        all.insert(all.end(), logits, logits + n_vocab);
        context.decode(&next, 1);
    }
    return all;
}

void compare_gradients(const values_by_name & received, const values_by_name & expected, device_test & result) {
    result.gradient_error = 0;
    for (const auto & [name, values] : expected) {
        const double error = relative_error(received.at(name), values);
        if (error <= result.gradient_error) continue; // NaN is not
        result.gradient_error = error;
        result.worst_gradient = name;
        if (std::isnan(error)) return;
    }
}

// Models on the device and, in F32, on the CPU.
struct model_pair {
    std::shared_ptr<model> device, cpu;
};

model_pair make_models(const tested_model & m, const device_test_options & options) {
    const auto path = [&](const char * name) { return (fs::u8path(options.folder) / name).u8string(); };
    const std::string original = path("original.gguf"), quantized = path("quantized.gguf"), restored = path("f32.gguf");
    create_model(options_of(m, original));
    quantize_model({original, quantized, m.type, 0});
    quantize_model({quantized, restored, "F32", 0}); // a CPU does not round these
    load_options there, here;
    there.path = quantized;
    there.devices = choose_devices(options.device, {});
    there.gpu_layers = there.devices->empty() ? 0 : -1;
    there.use_mmap = here.use_mmap = false; // the files are overwritten by the next model
    here.path = restored;
    here.devices.emplace();
    return {model::load(there), model::load(here)};
}

device_test test_model(const tested_model & m, const device_test_options & options, const std::atomic<bool> & stop) {
    const auto [device, cpu] = make_models(m, options);
    device_test result{};
    result.architecture = m.architecture;
    result.type = m.type;
    tiny_run received(device, m.architecture, rule_mode::automatic), expected(cpu, m.architecture, rule_mode::composed);
    result.first_loss = received.run();
    const double expected_loss = expected.run();
    result.loss_error = std::fabs(result.first_loss - expected_loss) / expected_loss;
    compare_gradients(received.gradients(), expected.gradients(), result);
    result.last_loss = received.train(stop);
    result.logits_error = relative_error(logits_of(device, stop), logits_of(cpu, stop));
    result.passed = result.loss_error <= tolerance && result.gradient_error <= tolerance &&
                    result.logits_error <= tolerance && result.last_loss < result.first_loss;
    return result;
}

}

void test_device(const device_test_options & options, const std::function<void(const device_test &)> & on_test,
                 const std::atomic<bool> & stop) {
    for (const tested_model & m : tested_models) {
        if (stop) throw error("ABORTED", "the test was aborted");
        on_test(test_model(m, options, stop));
    }
}

}
