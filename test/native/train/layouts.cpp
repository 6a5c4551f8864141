// The layout of a step's samples changes neither its loss nor its gradients.

#include "core/rng.h"
#include "data/loader.h"
#include "data/write-token-file.h"
#include "harness.h"
#include "model/info.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <cmath>

using namespace llamatune;

namespace {

constexpr uint32_t longest = 40;

// Samples of ragged lengths; every third has a single target, at its end.
std::string ragged_samples(const model & m, const std::string & name, size_t n) {
    const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m.handle()));
    rng random(23);
    std::vector<harness::token_sample> samples(n);
    for (size_t i = 0; i < n; i++) {
        const size_t length = i == 0 ? longest : 2 + size_t(random.below(longest - 2));
        for (size_t j = 0; j < length; j++) {
            samples[i].tokens.push_back(int32_t(random.below(uint64_t(n_vocab))));
            samples[i].weights.push_back(j > 0 && (i % 3 > 0 || j + 1 == length));
        }
    }
    return harness::write_token_file(name, samples);
}

struct outcome {
    double loss = 0;
    tiny::tensor_values gradients;
};

// The mean loss of the first step and its gradients, twice, with another step in between, so that each shape's graph
// runs again after others have used its memory.
outcome first_step(const std::shared_ptr<model> & m, const token_file & file, const layout_options & layout,
                   const tiny::training_options & options) {
    loader data(file, {6, layout, false, 1});
    std::vector<step_batch> steps(2);
    for (step_batch & step : steps) data.next(step);
    const std::vector<batch_shape> shapes = largest_shapes(layout);
    micro_batch largest = tiny_batch(*m, shapes[0].n_rows, shapes[0].sequence_length);
    largest.shape = shapes[0];
    tiny::training t(m, largest, options);
    outcome result;
    for (const size_t i : {0, 1, 0}) {
        t.zero_gradients();
        result.loss = 0;
        double forward_only = 0;
        for (const micro_batch & micro : steps[i]) {
            if (micro.target_position.empty()) continue;
            result.loss += t.run(micro, 1 / steps[i].total_target_weight) / steps[i].total_target_weight;
            forward_only += t.loss(micro) * double(micro.target_token.size()) / steps[i].total_target_weight;
        }
        CHECK_NEAR(forward_only, result.loss, 1e-5);
        if (i == 1) continue;
        const tiny::tensor_values again = t.gradients();
        if (!result.gradients.empty()) CHECK(again == result.gradients);
        result.gradients = again;
    }
    return result;
}

void compare_layouts(const char * name, tiny::training_options options) {
    options.context_length = longest;
    options.targets = {"all-linear"};
    const auto m = tiny::arch(name);
    const auto file = token_file::open(ragged_samples(*m, std::string("layouts-") + name + ".tok", 12));
    const outcome expected = first_step(m, *file, {batch_layout::padded, longest, 0, 1}, options);
    CHECK(expected.loss > 0);
    std::vector<layout_options> others{{batch_layout::padded, longest, 0, 3},
                                       {batch_layout::by_length, longest, 100, 1}};
    if (can_pack(*m)) {
        others.push_back({batch_layout::packed, 64, 0, 3});
        for (const uint32_t budget : {longest, 300u})
            others.push_back({batch_layout::padding_free, longest, budget, 1});
    }
    for (const layout_options & layout : others) {
        const outcome received = first_step(m, *file, layout, options);
        const double error = tiny::relative_error(received.gradients, expected.gradients);
        const double loss_error = std::abs(received.loss - expected.loss) / expected.loss;
        if (error < 3e-5 && loss_error < 1e-6) continue;
        harness::fail(__FILE__, __LINE__,
                      std::string(name) + ", layout " + name_of(layout.layout) + " with " +
                          std::to_string(layout.micro_batch_tokens) + " tokens and " +
                          std::to_string(layout.micro_batch_size) + " rows: the loss differs by " +
                          std::to_string(loss_error) + ", gradients by " + std::to_string(error));
    }
}

}

TEST("train/layouts: every layout gives the same loss and gradients") {
    // full attention, sliding windows in all or some layers, sinks, experts, ALiBi, latent attention, recurrent state
    for (const char * name : {"llama", "qwen3", "gemma2", "gemma3", "gpt-oss-moe", "qwen3moe-moe", "phi3", "mpt",
                              "olmo2", "deepseek2-moe", "mamba2", "falcon-h1", "qwen3next-moe", "lfm2"}) {
        compare_layouts(name, {});
    }
}

TEST("train/layouts: the same with gradient checkpointing, composed rules and the loss in narrow chunks") {
    tiny::training_options options;
    options.step.recompute = true;
    options.step.gradient.rules = rule_mode::composed;
    options.step.loss_budget_bytes = 1;
    for (const char * name : {"llama", "gemma3"}) compare_layouts(name, options);
}
