// Gradient checkpointing: the same losses and gradients in less memory.

#include "autodiff/engine/recompute.h"
#include "adapter/targets.h"
#include "architectures/table.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/linear-targets.h"
#include "train/tiny-training.h"

#include <algorithm>

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

// Describes the differences with recomputation; empty if the results are equal bit for bit.
std::string difference(const std::shared_ptr<model> & m, const micro_batch & batch, training_options options) {
    const double weight = 1.0 / double(batch.target_token.size());
    training once(m, batch, options);
    options.step.recompute = true;
    training again(m, batch, options);
    std::string problem;
    for (int run = 0; run < 2; run++) { // the second run finds the first run's data in memory
        if (once.run(batch, weight) != again.run(batch, weight)) problem = " another loss;";
        const tiny::tensor_values a = once.gradients(), b = again.gradients();
        if (!(tiny::dot(a, a) > 0)) problem += " no gradient;";
        if (a != b) problem += " gradients differ by " + std::to_string(tiny::relative_error(b, a)) + ";";
    }
    return problem;
}

}

TEST("train/recompute: every architecture that trains has the same loss and gradients, by both rule modes") {
    std::string wrong;
    for (const std::string & name : architectures::trainable()) {
        for (const rule_mode rules : {rule_mode::automatic, rule_mode::composed}) {
            try {
                const auto m = tiny::arch(name);
                training_options options;
                options.step.gradient.rules = rules;
                const micro_batch batch = tiny_batch(*m, 2, 9);
                options.targets = find_linear_targets(m, {2, 9, false}).trainable;
                const std::string problem = difference(m, batch, options);
                if (!problem.empty()) wrong += "\n    " + name + ":" + problem;
            } catch (const error & e) { wrong += "\n    " + name + ": " + e.code() + ": " + e.what(); }
        }
    }
    tiny::expect_slopes(wrong);
}

TEST("train/recompute: packed samples, full-parameter training, quantized weights and the loss in chunks") {
    const auto llama = tiny::arch("llama");
    micro_batch packed = tiny_batch(*llama, 1, 24);
    packed.shape.packed = true;
    for (int i = 0; i < 24; i++) packed.segment_id[size_t(i)] = i < 5 ? 0 : i < 16 ? 1 : 2;
    training_options options;
    options.step.loss_budget_bytes = 1;
    std::string wrong;
    for (const char * name : {"llama", "qwen3", "gemma3"}) {
        create_options o = tiny::options(name, tiny::scratch("recompute.gguf"));
        o.layers = 5;
        create_model(o);
        load_options writable;
        writable.path = o.path;
        writable.use_mmap = false;
        const auto m = model::load(writable);
        training_options whole;
        whole.mode = train_mode::full;
        wrong += difference(m, tiny_batch(*m, 2, 12), whole) + difference(m, packed, options);
        o.type = "Q8_0";
        create_model(o);
        const auto quantized = model::load({o.path});
        wrong += difference(quantized, tiny_batch(*quantized, 2, 12), {});
    }
    tiny::expect_slopes(wrong);
}

TEST("train/recompute: twelve layers need less than half of the memory, and twenty-four less than twelve without it") {
    const auto bytes = [](const std::string & name, int64_t layers, bool recompute, rule_mode rules) {
        create_options o = tiny::options(name, tiny::scratch("deep.gguf"));
        o.layers = layers;
        create_model(o);
        const auto m = model::load({o.path});
        training_options options;
        options.step.recompute = recompute;
        options.step.allocate = false;
        options.step.gradient.rules = rules;
        options.step.loss_budget_bytes = 1;
        return double(training(m, tiny_batch(*m, 1, 256), options).compute_bytes());
    };
    for (const char * name : {"llama", "qwen3", "gemma3"}) {
        for (const rule_mode rules : {rule_mode::automatic, rule_mode::composed}) {
            CHECK(bytes(name, 12, true, rules) < 0.5 * bytes(name, 12, false, rules));
            CHECK(bytes(name, 24, true, rules) < bytes(name, 12, false, rules));
        }
    }
}

TEST("train/recompute: cuts are where only the residual stream is alive, and shared tensors are kept") {
    // x0 → (a, b) → x1 = x0 + a·b, four times; `shared`, made first, is read by all
    const ggml_context_ptr ctx{ggml_init({256 * ggml_tensor_overhead(), nullptr, true})};
    const auto new_tensor = [&](int64_t n) { return ggml_new_tensor_1d(ctx.get(), GGML_TYPE_F32, n); };
    std::vector<ggml_tensor *> nodes;
    const auto node = [&](ggml_tensor * t) { return nodes.push_back(t), t; };
    ggml_tensor * shared = node(ggml_sqr(ctx.get(), new_tensor(64)));
    ggml_tensor * x = node(ggml_add(ctx.get(), new_tensor(64), shared));
    std::vector<size_t> expected;
    for (int layer = 0; layer < 4; layer++) {
        if (layer > 0) expected.push_back(nodes.size());
        ggml_tensor * wide = node(ggml_repeat_4d(ctx.get(), x, 640, 1, 1, 1));
        ggml_tensor * a = node(ggml_sqr(ctx.get(), wide));
        ggml_tensor * b = node(ggml_view_1d(ctx.get(), a, 64, 0));
        x = node(ggml_add(ctx.get(), node(ggml_mul(ctx.get(), b, shared)), x));
    }
    CHECK(find_cuts(nodes, x) == expected);
    CHECK(find_cuts({nodes.begin(), nodes.begin() + 2}, nodes[1]).empty());
}

TEST("train/recompute: cuts are where products need not be recomputed") {
    // x → w·x (read by a norm) → … → x + product: the product that only the sum reads is worth a cut behind it
    const ggml_context_ptr ctx{ggml_init({256 * ggml_tensor_overhead(), nullptr, true})};
    ggml_tensor * weight = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 64, 64);
    ggml_tensor * x = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 64, 4);
    std::vector<ggml_tensor *> nodes;
    std::vector<size_t> expected;
    const auto node = [&](ggml_tensor * t) { return nodes.push_back(t), t; };
    x = node(ggml_sqr(ctx.get(), x));
    for (int layer = 0; layer < 6; layer++) {
        for (const bool norm :
             {true, false}) { // the first half ends in a norm of its product, the second in the product
            ggml_tensor * wide = node(ggml_repeat_4d(ctx.get(), x, 64, 8, 1, 1));
            ggml_tensor * narrow = node(
                ggml_cont(ctx.get(), node(ggml_view_2d(ctx.get(), node(ggml_sqr(ctx.get(), wide)), 64, 4, 256, 0))));
            ggml_tensor * product = node(ggml_mul_mat(ctx.get(), weight, narrow));
            x = node(ggml_add(ctx.get(), norm ? node(ggml_rms_norm(ctx.get(), product, 1e-5f)) : product, x));
        }
        if (layer < 5) expected.push_back(nodes.size());
    }
    const std::vector<size_t> cuts = find_cuts(nodes, x);
    for (size_t end : expected) CHECK(std::find(cuts.begin(), cuts.end(), end) != cuts.end());
}
