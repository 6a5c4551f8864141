// Compares whole models on the device under test with the CPU: gradients of LoRA and of full-parameter training,
// losses, and generation. The tests are skipped without a device (LLAMATUNE_TEST_DEVICE).

#include "architectures/table.h"
#include "device/expert-routing.h"
#include "device/test-device.h"
#include "generate/context.h"
#include "harness.h"
#include "model-tools/quantize.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <ggml-backend.h>
#include <llama.h>

#include <cstdlib>
#include <set>

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

void require_device() {
    if (test_device::is_cpu()) SKIP("no LLAMATUNE_TEST_DEVICE");
}

std::shared_ptr<model> on_cpu(const std::string & path, bool use_mmap = true) {
    load_options options;
    options.path = path;
    options.use_mmap = use_mmap;
    return model::load(options);
}

// Rows have at least 256 elements, the minimum for K-quants.
std::string wide_model(const std::string & architecture, const std::string & type, int64_t width = 256) {
    create_options o = tiny::options(architecture, tiny::scratch("device-" + architecture + ".gguf"));
    o.embedding_length = width;
    o.feed_forward_length = 512;
    if (o.experts > 0) o.expert_feed_forward_length = 256;
    o.head_length = 64;
    o.init_std = 0.05f;
    create_model(o);
    if (type == "F32") return o.path;
    const std::string quantized = tiny::scratch("device-" + architecture + "-" + type + ".gguf");
    quantize_model({o.path, quantized, type, 1});
    return quantized;
}

// Loads the same weights in F32: the CPU then does not round, so that only the device's rounding remains.
std::string restored(const std::string & path) {
    const std::string to = path + ".restored.gguf";
    quantize_model({path, to, "F32", 1});
    return to;
}

void require(double received, double most, const std::string & what) {
    std::printf("        %s: %.2e of at most %.0e\n", what.c_str(), received, most);
    if (received <= most) return;
    std::ostringstream os;
    os << what << " within " << most << " but received a relative error of " << received;
    harness::fail(__FILE__, __LINE__, os.str());
}

// Compares parameters by name, since weights are in another order if some stay on the CPU. Each parameter's error is
// checked, so that a wrong small one is found among large ones.
std::string wrong_gradients(training & device, training & reference, const micro_batch & batch, double most) {
    const tiny::tensor_values received = tiny::gradients_of(device, batch);
    const tiny::tensor_values expected = tiny::gradients_of(reference, batch);
    CHECK_EQ(received.size(), expected.size());
    std::string wrong;
    for (size_t i = 0; i < expected.size(); i++) {
        const std::string & name = reference.parameters()[i].name;
        size_t at = 0;
        while (at < received.size() && device.parameters()[at].name != name) at++;
        CHECK(at < received.size());
        const double error = tiny::relative_error({received[at]}, {expected[i]});
        if (!(error <= most)) wrong += " " + name + " (" + std::to_string(error) + ")";
    }
    return wrong;
}

void require_gradients(training & device, training & reference, const micro_batch & batch, double most,
                       const std::string & what) {
    const std::string wrong = wrong_gradients(device, reference, batch, most);
    if (!wrong.empty()) harness::fail(__FILE__, __LINE__, what + " to be the CPU's but received others for" + wrong);
}

// Most devices multiply F32 as F16, which limits their precision; GGML_VK_DISABLE_F16=1 makes Vulkan exact.
bool is_exact() {
    const char * exact = std::getenv("GGML_VK_DISABLE_F16");
    return exact && *exact;
}
double tolerance() { return is_exact() ? 1e-4 : 4e-2; }

}

namespace {

// The tolerance for a single tensor; Vulkan computes attention's permuted products in F16 in any case.
double gradient_tolerance() { return std::max(tolerance(), 5e-3); }

}

TEST("device/gradients: LoRA pairs on weights of several types match the CPU") {
    require_device();
    for (const char * architecture : {"llama", "qwen3", "gemma3", "qwen3moe"}) {
        const int64_t used_experts = tiny::options(architecture, "").used_experts; // 0 in a dense model
        for (const char * type : {"F16", "Q8_0", "Q4_K_M"}) {
            const std::string path = wide_model(architecture, type);
            const auto there = test_device::load(path), here = on_cpu(restored(path));
            const micro_batch batch = tiny_batch(*here, 2, 24);
            training_options options, plain; // plain: without the CPU accelerator
            plain.step.gradient.rules = rule_mode::composed;
            test_device::expert_routing routing(used_experts);
            routing.record(options.step);
            routing.impose(plain.step);
            training device(there, batch, options), reference(here, batch, plain);
            const std::string what = std::string(architecture) + " " + type;
            const double loss = device.loss(batch), expected = reference.loss(batch);
            // rounding in the forward pass (weights in F16, activations in F16 or 8 bits) changes the gradient too
            require(std::fabs(loss - expected) / expected, tolerance(), what + ", loss");
            require_gradients(device, reference, batch, gradient_tolerance(), what);
            CHECK_EQ(routing.n_recorded(), used_experts > 0 ? 2u : 0u); // one per layer
            if (used_experts == 0) continue;
            require(routing.widest_tie(), tolerance(),
                    what + ", widest score gap of " + std::to_string(routing.n_moved()) + " rerouted tokens");
        }
    }
}

TEST("device/gradients: precision bf16 is near the CPU's F32") {
    require_device();
    for (const char * architecture : {"llama", "qwen3", "gemma3"}) {
        const std::string path = wide_model(architecture, "Q8_0", 512); // products with narrower weights stay F32
        const auto there = test_device::load(path), here = on_cpu(restored(path));
        const micro_batch batch = tiny_batch(*here, 2, 24);
        training_options options, plain;
        options.precision = "bf16";
        plain.step.gradient.rules = rule_mode::composed;
        training device(there, batch, options), reference(here, batch, plain);
        const double loss = device.loss(batch), expected = reference.loss(batch);
        require(std::fabs(loss - expected) / expected, 1e-3, std::string(architecture) + ", loss");
        require_gradients(device, reference, batch, gradient_tolerance(), architecture);
    }
}

TEST("device/gradients: on the CPU, the accelerator's kernels match the composed rules") {
    for (const char * architecture : {"llama", "qwen3", "gemma3", "qwen3moe"}) {
        const auto m = on_cpu(wide_model(architecture, "F32"));
        const micro_batch batch = tiny_batch(*m, 2, 24);
        training_options plain;
        plain.step.gradient.rules = rule_mode::composed;
        training fused(m, batch, {}), composed(m, batch, plain);
        require_gradients(fused, composed, batch, 1e-3, std::string(architecture) + ", gradients by kernels");
    }
}

TEST("device/gradients: gradient checkpointing, packing and a repeated token match the CPU") {
    require_device();
    const std::string path = wide_model("qwen3", "Q8_0");
    const auto there = test_device::load(path), here = on_cpu(restored(path));
    micro_batch batch = tiny_batch(*here, 1, 48); // two samples in a row
    batch.target_position.clear();
    batch.target_token.clear();
    batch.target_weight.clear();
    for (size_t i = 0; i < batch.tokens.size(); i++) {
        batch.tokens[i] %= 7;
        batch.segment_id[i] = i < 20 ? 0 : 1;
    }
    for (int32_t i = 0; i + 1 < 48; i++) {
        if (i == 19) continue; // a sample's last token predicts nothing
        batch.target_position.push_back(i);
        batch.target_token.push_back(batch.tokens[size_t(i) + 1]);
        batch.target_weight.push_back(1.0f);
    }
    training_options options, once;
    batch.shape.packed = true;
    options.step.recompute = true;
    training device(there, batch, options), reference(here, batch, once);
    require_gradients(device, reference, batch, gradient_tolerance(), "recomputed gradients");
}

TEST("device/gradients: full-parameter training matches the CPU") {
    require_device();
    const std::string path = wide_model("llama", "F32");
    const auto there = test_device::load(path, false), here = on_cpu(path, false);
    const micro_batch batch = tiny_batch(*here, 2, 24);
    training_options options;
    options.mode = train_mode::full;
    training device(there, batch, options), reference(here, batch, options);
    require_gradients(device, reference, batch, gradient_tolerance(), "gradients of all weights");
}

TEST("device/gradients: small gradients of a step with many targets do not underflow") {
    require_device();
    const std::string path = wide_model("llama", "F16");
    const auto there = test_device::load(path), here = on_cpu(restored(path));
    const micro_batch batch = tiny_batch(*here, 1, 24);
    training device(there, batch, {}), reference(here, batch, {});
    device.zero_gradients();
    reference.zero_gradients();
    const double weight = 1.0 / 262144; // 256 rows of 1024 tokens to a step
    device.run(batch, weight);
    reference.run(batch, weight);
    require(tiny::relative_error(device.gradients(), reference.gradients()), std::max(tolerance(), 2e-3),
            "gradients of 2^-18 of a step");
}

// Tests a few architectures of each family: kinds of attention, mixtures of experts, state spaces. Set
// LLAMATUNE_TEST_ARCHITECTURES=all to test all 127.
TEST("device/gradients: architectures of several families match the CPU") {
    require_device();
    const std::set<std::string> some{"bloom", "cohere2",        "deepseek2-moe", "falcon-h1", "gemma2",
                                     "gpt2",  "granitemoe-moe", "llama4-moe",    "mamba",     "mamba2",
                                     "olmo2", "phi3",           "qwen3moe-moe",  "rwkv7"};
    const char * asked = std::getenv("LLAMATUNE_TEST_ARCHITECTURES");
    const bool all = asked && std::string(asked) == "all";
    std::string wrong;
    int compared = 0;
    for (const architectures::record & row : architectures::read_table()) {
        if (!row.works() || (!all && !some.count(row.name))) continue;
        compared++;
        try {
            const auto there = tiny::arch_on(row.name, test_device::load_options()), here = tiny::arch(row.name);
            const micro_batch batch = tiny_batch(*here, 1, 9);
            training_options options, plain;
            options.targets = plain.targets = row.trained;
            plain.step.gradient.rules = rule_mode::composed;
            training device(there, batch, options), reference(here, batch, plain);
            const double error =
                tiny::relative_error(tiny::gradients_of(device, batch), tiny::gradients_of(reference, batch));
            std::printf("        %s: %.2e\n", row.name.c_str(), error);
            if (!(error < 2e-2)) wrong += " " + row.name + " (" + std::to_string(error) + ")";
        } catch (const harness::skipped &) { throw; } catch (const std::exception & e) {
            wrong += "\n    " + row.name + ": " + e.what();
        }
        std::fflush(stdout);
    }
    CHECK(compared >= 10);
    if (!wrong.empty()) harness::fail(__FILE__, __LINE__, "the CPU's gradients but received others for" + wrong);
}

TEST("device/optimizer: gradient norm and loss after some steps match the CPU") {
    require_device();
    const std::string path = wide_model("qwen3", "Q8_0");
    const auto there = test_device::load(path), here = on_cpu(restored(path));
    const micro_batch batch = tiny_batch(*here, 2, 24);
    training device(there, batch, {}), reference(here, batch, {});
    const double before = reference.loss(batch);
    const double norm = device.optimize(batch, 4, 1e-3, 0.5), expected_norm = reference.optimize(batch, 4, 1e-3, 0.5);
    require(std::fabs(norm - expected_norm) / expected_norm, gradient_tolerance(), "gradient norm");
    const double gained = before - device.loss(batch), expected = before - reference.loss(batch);
    CHECK(expected > 0.01);
    require(std::fabs(gained - expected) / expected, gradient_tolerance(), "loss that the steps gained");
}

TEST("device/generate: the logits of a prompt and of later tokens match the CPU") {
    require_device();
    for (const char * type : {"F16", "Q8_0", "Q4_K_M"}) {
        const std::string path = wide_model("llama", type);
        static const std::atomic<bool> never{false};
        std::vector<std::vector<float>> results;
        for (const auto & m : {test_device::load(path), on_cpu(restored(path))}) {
            inference_context context(m, {128, 64, 2}, nullptr, never);
            std::vector<int32_t> prompt;
            for (int32_t i = 0; i < 48; i++) prompt.push_back(i * 37 % tiny::n_tokens);
            context.decode_all(prompt.data(), prompt.size());
            std::vector<float> logits;
            for (int32_t i = 0; i < 4; i++) {
                const float * values = llama_get_logits_ith(context.handle(), -1);
                logits.insert(logits.end(), values, values + tiny::n_tokens);
                const int32_t next = 11 + i;
                context.decode_all(&next, 1);
            }
            results.push_back(logits);
        }
        // devices that are not exact round activations to 8 bits here
        require(tiny::relative_error({results[0]}, {results[1]}), std::max(tolerance(), 2e-2),
                std::string("logits, ") + type);
    }
}
