// The load-balance loss of routers and its gradient, against the formula of the Switch Transformer (arXiv 2101.03961).

#include "train/load-balance.h"

#include "core/error.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

using namespace llamatune;

namespace {

constexpr double coefficient = 3.0;

// The generated model of an architecture, but with one expert per token: otherwise every token uses all experts, and
// the loss is 1 whatever the router does.
std::shared_ptr<model> with_one_expert(const std::string & name) {
    const std::string path = tiny::scratch("one-expert-" + name + ".gguf");
    {
        gguf_reader from(harness::arch_model(name));
        gguf_writer to;
        to.copy_metadata(from);
        to.set(from.text("general.architecture") + ".expert_used_count", uint32_t(1));
        for (const gguf_tensor & each : from.tensors()) {
            std::vector<int64_t> shape(each.shape.begin(), each.shape.end());
            while (shape.size() > 1 && shape.back() == 1) shape.pop_back();
            to.add(each.name, each.type, shape, [&from, each](const byte_sink & sink) { from.read(each, sink); });
        }
        to.write(path);
    }
    load_options options;
    options.path = path;
    return tiny::load_with_norms(options);
}

tiny::training_options options_with(double load_balance) {
    tiny::training_options options;
    options.targets = {"ffn_gate_inp", "attn_output"};
    options.step.load_balance = load_balance;
    return options;
}

// Some tokens of the batch are padding.
micro_batch padded_batch(const model & m) {
    micro_batch batch = tiny_batch(m, 2, 12);
    constexpr int n_padding = 3;
    std::fill(batch.segment_id.end() - n_padding, batch.segment_id.end(), -1);
    for (auto * list : {&batch.target_position, &batch.target_token}) list->resize(list->size() - n_padding);
    batch.target_weight.resize(batch.target_position.size());
    batch.n_tokens -= n_padding;
    return batch;
}

// The gradient of the load-balance loss alone.
tiny::tensor_values balance_gradient(const std::shared_ptr<model> & m, const micro_batch & batch,
                                     tiny::training_options options) {
    tiny::training with(m, batch, options);
    options.step.load_balance = 0;
    tiny::training without(m, batch, options);
    tiny::tensor_values difference = tiny::gradients_of(with, batch);
    const tiny::tensor_values plain = tiny::gradients_of(without, batch);
    for (size_t i = 0; i < difference.size(); i++)
        for (size_t j = 0; j < difference[i].size(); j++) difference[i][j] -= plain[i][j];
    return difference;
}

// Compares the slope of the loss along its gradient with differences. The choices of experts do not change, since the
// steps are small.
std::string check_slope(const std::shared_ptr<model> & m, const tiny::training_options & options) {
    const micro_batch batch = padded_batch(*m);
    const tiny::tensor_values g = balance_gradient(m, batch, options);
    const double length = std::sqrt(tiny::dot(g, g));
    if (!(length > 1e-3)) return " a gradient of length " + std::to_string(length);
    tiny::training t(m, batch, options);
    const auto & all = t.parameters();
    const auto n_routers = double(std::count_if(all.begin(), all.end(), [](const parameter & p) {
        return p.name.find("ffn_gate_inp") != std::string::npos && p.name.find("lora_b") == std::string::npos;
    }));
    const tiny::tensor_values start = t.values();
    const auto loss_at = [&](double along) {
        tiny::tensor_values moved = start;
        for (size_t i = 0; i < moved.size(); i++)
            for (size_t j = 0; j < moved[i].size(); j++)
                moved[i][j] = float(double(start[i][j]) + along * double(g[i][j]) / length);
        t.set_values(moved);
        t.run(batch, 1.0);
        return t.load_balance_loss() * n_routers * coefficient;
    };
    const auto slope = [&](double step) { return (loss_at(step) - loss_at(-step)) / (2 * step); };
    const double measured = (4 * slope(2e-4) - slope(4e-4)) / 3;
    if (std::fabs(measured - length) <= 2e-2 * length) return "";
    return " " + std::to_string(measured) + " measured, " + std::to_string(length) + " computed";
}

}

TEST("train/load-balance: the loss is that of the formula, and 1 if every token uses all experts") {
    const auto m = tiny::load("qwen3moe");
    const micro_batch batch = padded_batch(*m);
    tiny::training t(m, batch, options_with(coefficient), false);
    t.run(batch, 1.0);
    CHECK(t.load_balance_loss() > 1.0);
    CHECK(t.load_balance_loss() < 8.0);
    const auto all = tiny::arch("qwen3moe-moe"); // all experts of every token
    tiny::training balanced(all, padded_batch(*all), options_with(coefficient), false);
    balanced.run(padded_batch(*all), 1.0);
    CHECK_NEAR(balanced.load_balance_loss(), 1.0, 1e-5);
}

TEST("train/load-balance: the gradient matches differences, with every kind of gating") {
    std::string wrong;
    // softmax, sigmoid, softmax of the chosen scores, square root of softplus, groups of experts
    for (const char * name : {"qwen3moe-moe", "olmoe-moe", "glm4moe-moe", "mimo2-moe", "minimax-m2-moe", "llama4-moe",
                              "gpt-oss-moe", "bailingmoe2-moe", "deepseek2-moe"}) {
        const std::string found = check_slope(with_one_expert(name), options_with(coefficient));
        if (!found.empty()) wrong += std::string(name) + ":" + found + "; ";
    }
    tiny::expect_slopes(wrong);
}

TEST("train/load-balance: the gradient is the same by both rule modes, with gradient checkpointing and in full "
     "training") {
    const auto m = with_one_expert("glm4moe-moe");
    const micro_batch batch = padded_batch(*m);
    const tiny::tensor_values expected = balance_gradient(m, batch, options_with(coefficient));
    tiny::training_options options = options_with(coefficient);
    options.step.recompute = true;
    CHECK(tiny::relative_error(balance_gradient(m, batch, options), expected) < 1e-4);
    options.step.recompute = false;
    options.step.gradient.rules = rule_mode::composed;
    CHECK(tiny::relative_error(balance_gradient(m, batch, options), expected) < 1e-4);
    options = options_with(coefficient);
    options.mode = train_mode::full;
    tiny::expect_slopes(check_slope(m, options));
}

TEST("train/load-balance: training with it evens out the use of the experts, and leaves it out of the loss") {
    const auto m = tiny::load("qwen3moe");
    const micro_batch batch = tiny_batch(*m, 4, 60);
    const auto trained = [&](double load_balance) {
        tiny::training_options options = options_with(load_balance);
        options.targets = {"ffn_gate_inp"};
        expert_counter counter(*m);
        options.step.experts = &counter;
        tiny::training t(m, batch, options, false);
        CHECK_NEAR(t.run(batch, 1.0) / double(batch.target_token.size()), t.loss(batch), 1e-5);
        t.optimize(batch, 60, 1e-2);
        counter.take_new();
        t.run(batch, 1.0);
        double entropy = 0; // in nats, mean of the layers
        for (const layer_experts & layer : counter.take_new()) {
            const double n = double(std::accumulate(layer.counts.begin(), layer.counts.end(), int64_t(0)));
            for (const int64_t count : layer.counts)
                if (count > 0) entropy -= double(count) / n * std::log(double(count) / n) / 2;
        }
        return std::pair(t.load_balance_loss(), entropy);
    };
    const auto [loss, entropy] = trained(1.0);
    const auto [loss_without, entropy_without] = trained(1e-9); // only measured
    CHECK(loss < loss_without - 0.02);
    CHECK(entropy > entropy_without + 0.02);
    CHECK(entropy > 0.98 * std::log(8.0));
}

TEST("train/load-balance: it needs a router that is trained") {
    const auto moe = tiny::load("qwen3moe"), dense = tiny::load("qwen3");
    tiny::training_options options = options_with(coefficient);
    options.targets = {"attn_q"};
    CHECK_ERROR("TARGET_UNSUPPORTED", tiny::training(moe, tiny_batch(*moe, 1, 8), options));
    CHECK_ERROR("TARGET_UNSUPPORTED", tiny::training(dense, tiny_batch(*dense, 1, 8), options));
}
