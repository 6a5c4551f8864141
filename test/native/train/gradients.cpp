// Compares gradients of whole models with differences of their loss. architectures/ covers every architecture and
// weight.

#include "adapter/targets.h"
#include "core/error.h"
#include "core/rng.h"
#include "harness.h"
#include "tiny-batch.h"
#include "train/linear-targets.h"
#include "train/tiny-training.h"

#include <set>

using namespace llamatune;
using tiny::arch;
using tiny::training;
using tiny::training_options;

TEST("train/gradients: attn_k and attn_v get gradients in every layer") {
    const auto m = arch("llama");
    const micro_batch batch = tiny_batch(*m, 2, 9);
    training t(m, batch, {});
    const tiny::tensor_values g = tiny::gradients_of(t, batch);
    int checked = 0;
    for (const parameter & p : t.parameters()) {
        if (p.name.find("attn_k.") == std::string::npos && p.name.find("attn_v.") == std::string::npos) continue;
        const auto this_one = [&](const std::string & name) { return name == p.name; };
        const tiny::tensor_values own = tiny::only(t, g, this_one);
        const double length = std::sqrt(tiny::dot(own, own));
        CHECK(length > 1e-5);
        const tiny::slope s = tiny::compare_slopes(t, batch, g, own);
        CHECK_NEAR(s.numeric, s.analytic, 1e-3 * length);
        checked++;
    }
    CHECK_EQ(checked, 2 * 2 * 2); // layers, k and v, A and B
}

TEST("train/gradients: the graph that slopes are measured with has the loss of the model's graph") {
    for (const char * name : {"nemotron", "olmo", "smallthinker-moe", "deepseek4-moe", "qwen4exp-moe"}) {
        const auto m = arch(name);
        const micro_batch batch = tiny_batch(*m, 2, 9);
        training_options options;
        options.targets = find_linear_targets(m, {2, 9, false}).trainable;
        training t(m, batch, options);
        const double loss = t.run(batch, 1.0) / double(batch.target_token.size());
        CHECK_NEAR(t.smooth_loss(batch), loss, 1e-6 * loss);
        const double chosen = t.smooth_loss(batch);
        t.hold_pieces(batch);
        CHECK_EQ(t.smooth_loss(batch), chosen);
        t.release_pieces();
    }
}

TEST("train/gradients: packed samples of several lengths") {
    for (const char * name : {"llama", "qwen3", "phi3"}) {
        const auto m = arch(name);
        micro_batch batch = tiny_batch(*m, 1, 24);
        batch.shape.packed = true;
        batch.target_position.clear();
        batch.target_token.clear();
        batch.target_weight.clear();
        for (int i = 0; i < 24; i++) {
            batch.segment_id[size_t(i)] = i < 5 ? 0 : i < 16 ? 1 : 2;
            if (i == 4 || i == 15 || i == 23) continue; // a segment's last token predicts nothing
            batch.target_position.push_back(i);
            batch.target_token.push_back(batch.tokens[size_t(i) + 1]);
            batch.target_weight.push_back(1.0f);
        }
        training t(m, batch, {});
        tiny::expect_slopes(tiny::check_slopes(t, batch, 1e-3));
    }
}

TEST("train/gradients: samples give the same loss and gradients packed and in separate rows") {
    const auto m = arch("llama");
    const micro_batch rows = tiny_batch(*m, 3, 10);
    micro_batch one_row = rows;
    one_row.shape.n_rows = one_row.n_filled_rows = 1;
    one_row.shape.sequence_length = 30;
    one_row.shape.packed = true;
    for (size_t i = 0; i < 30; i++) one_row.segment_id[i] = int32_t(i / 10);
    training apart(m, rows, {}), together(m, one_row, {});
    CHECK_NEAR(apart.loss(rows), together.loss(one_row), 1e-5);
    CHECK(tiny::relative_error(tiny::gradients_of(together, one_row), tiny::gradients_of(apart, rows)) < 1e-4);
}

TEST("train/gradients: a batch gives the same loss and gradients for any split into micro-batches") {
    const auto m = arch("llama");
    const micro_batch whole = tiny_batch(*m, 4, 8);
    const double weight = 1.0 / double(whole.target_token.size());
    std::vector<double> losses;
    std::vector<tiny::tensor_values> gradients;
    for (const uint32_t rows : {4u, 2u, 1u}) {
        std::unique_ptr<training> t;
        double loss = 0;
        for (uint32_t first = 0; first < 4; first += rows) {
            micro_batch part = tiny_batch(*m, rows, 8);
            std::copy_n(whole.tokens.begin() + first * 8, rows * 8, part.tokens.begin());
            std::copy_n(whole.target_token.begin() + first * 7, rows * 7, part.target_token.begin());
            if (!t) t = std::make_unique<training>(m, part, training_options{});
            loss += t->run(part, weight) * weight;
        }
        losses.push_back(loss);
        gradients.push_back(t->gradients());
    }
    for (size_t i = 1; i < losses.size(); i++) {
        CHECK_NEAR(losses[i], losses[0], 1e-6);
        CHECK(tiny::relative_error(gradients[i], gradients[0]) < 1e-5);
    }
}

namespace {

// ½ ‖hidden‖², which needs no logits: what an objective on embeddings would look like. Its metrics are ‖hidden‖² and
// the largest logit.
class hidden_norm : public objective {
public:
    std::vector<std::string> metric_names() const override { return {"squaredNorm", "largestLogit"}; }

    loss_gradients build(ggml_context * ctx, const loss_chunk & c,
                         const std::function<void(ggml_tensor *)> & run) const override {
        ggml_tensor * norms = ggml_sum_rows(ctx, ggml_sqr(ctx, c.hidden)); // [1, columns]
        const int64_t columns = ggml_nelements(c.losses), n_vocab = c.logits->ne[0];
        run(ggml_cpy(ctx, ggml_reshape_1d(ctx, ggml_scale(ctx, norms, 0.5f), columns), c.losses));
        run(ggml_cpy(ctx, ggml_reshape_1d(ctx, norms, columns), c.metric(ctx, 0)));
        ggml_tensor * best = ggml_reshape_2d(ctx, ggml_argmax(ctx, c.logits), 1, columns);
        ggml_tensor * largest = ggml_get_rows(ctx, ggml_reshape_3d(ctx, c.logits, 1, n_vocab, columns), best);
        run(ggml_cpy(ctx, ggml_reshape_1d(ctx, largest, columns), c.metric(ctx, 1)));
        if (!c.with_gradient) return {};
        return {nullptr, ggml_mul(ctx, c.hidden, c.weights)};
    }
    int64_t n_logits(bool) const override { return 1; }
};

}

TEST("train/gradients: an objective is an argument, here one on the hidden states") {
    const auto m = arch("llama");
    const micro_batch batch = tiny_batch(*m, 2, 8);
    training_options options;
    options.targets = {"attn_q", "attn_v", "ffn_up", "ffn_down"};
    options.step.loss = std::make_shared<hidden_norm>();
    training t(m, batch, options);
    CHECK(t.loss(batch) > 0);
    CHECK_NEAR(t.run(batch, 1.0) / double(batch.target_token.size()), t.loss(batch), 1e-5 * t.loss(batch));
    tiny::expect_slopes(tiny::check_slopes(t, batch, 1e-3));
}

TEST("train/gradients: metrics are summed over the chunks with the weights of the targets") {
    const auto m = arch("llama");
    micro_batch batch = tiny_batch(*m, 3, 30); // 87 targets
    for (size_t i = 0; i < batch.target_weight.size(); i++) batch.target_weight[i] = i % 3 ? 0.5f : 2.0f;
    training_options options;
    options.step.loss = std::make_shared<hidden_norm>();
    training whole(m, batch, options);
    options.step.loss_budget_bytes = 1; // chunks of 32, the last not full
    training chunked(m, batch, options);
    const double loss = whole.run(batch, 1.0);
    chunked.run(batch, 1.0);
    chunked.run(batch, 1.0); // sums start at zero for each batch
    CHECK_EQ(whole.metric_sums().size(), 2u);
    CHECK_NEAR(whole.metric_sums().at("squaredNorm"), 2 * loss, 1e-5 * loss);
    CHECK(whole.metric_sums().at("largestLogit") > 0);
    for (const auto & [name, sum] : whole.metric_sums())
        CHECK_NEAR(chunked.metric_sums().at(name), sum, 1e-5 * std::fabs(sum));
}

TEST("train/gradients: label smoothing, in the host's kernel and composed of ops") {
    const auto m = arch("qwen3");
    const micro_batch batch = tiny_batch(*m, 2, 9);
    std::vector<tiny::tensor_values> gradients;
    for (const rule_mode rules : {rule_mode::automatic, rule_mode::composed}) {
        training_options options;
        options.targets = {"attn_q", "attn_v", "ffn_down", "output"};
        options.step.gradient.rules = rules;
        options.step.loss = make_objective({"cross-entropy", {{"labelSmoothing", 0.3}}});
        training t(m, batch, options);
        tiny::expect_slopes(tiny::check_slopes(t, batch, 5e-3));
        gradients.push_back(tiny::gradients_of(t, batch));
    }
    CHECK(tiny::relative_error(gradients[0], gradients[1]) < 1e-4);
}
TEST("train/gradients: weighted targets give the weighted sum of the losses and gradients of each target") {
    const auto m = arch("llama");
    micro_batch batch = tiny_batch(*m, 2, 6);
    const size_t n = batch.target_token.size();
    rng random(5);
    for (float & weight : batch.target_weight) weight = float(random.below(9)) / 4 + 0.125f;
    batch.target_weight[2] = 1000; // larger than the range that F16 products have on a GPU
    double sum = 0, expected_loss = 0;
    for (const float weight : batch.target_weight) sum += double(weight);
    for (const bool composed : {false, true}) {
        training_options options;
        if (composed) options.step.gradient.rules = rule_mode::composed;
        training t(m, batch, options);
        std::vector<std::vector<double>> expected;
        expected_loss = 0;
        for (size_t i = 0; i < n; i++) {
            micro_batch one = batch;
            one.target_position = {batch.target_position[i]};
            one.target_token = {batch.target_token[i]};
            one.target_weight = {1.0f};
            t.zero_gradients();
            const double share = double(batch.target_weight[i]) / sum;
            expected_loss += share * t.run(one, 1.0);
            const tiny::tensor_values g = t.gradients();
            expected.resize(g.size());
            for (size_t p = 0; p < g.size(); p++) {
                expected[p].resize(g[p].size());
                for (size_t j = 0; j < g[p].size(); j++) expected[p][j] += share * double(g[p][j]);
            }
        }
        t.zero_gradients();
        CHECK_NEAR(t.run(batch, 1.0 / sum) / sum, expected_loss, 1e-5);
        tiny::tensor_values as_float;
        for (const auto & values : expected) as_float.emplace_back(values.begin(), values.end());
        CHECK(tiny::relative_error(t.gradients(), as_float) < 1e-5);
    }
}

TEST("train/gradients: a repeated batch gives the same gradient bit for bit, or twice the gradient if it is not "
     "zeroed") {
    const auto m = arch("qwen3");
    const micro_batch batch = tiny_batch(*m, 2, 8), other = tiny_batch(*m, 2, 8, 99);
    training t(m, batch, {});
    const tiny::tensor_values first = tiny::gradients_of(t, batch);
    const tiny::tensor_values different = tiny::gradients_of(t, other);
    CHECK(tiny::relative_error(different, first) > 0.1);
    CHECK(tiny::gradients_of(t, batch) == first);
    t.run(batch, 1.0 / double(batch.target_token.size()));
    tiny::tensor_values doubled = first;
    for (auto & values : doubled) {
        for (float & v : values) v *= 2;
    }
    CHECK(tiny::relative_error(t.gradients(), doubled) < 1e-6);
    t.zero_gradients();
    for (const auto & values : t.gradients()) CHECK(values == std::vector<float>(values.size(), 0.0f));
}

TEST("train/gradients: the loss in chunks of columns equals the loss of all columns at once") {
    const auto m = arch("llama");
    const micro_batch batch = tiny_batch(*m, 3, 30); // 87 targets
    training_options chunked;
    chunked.step.loss_budget_bytes = 1; // chunks of 32, the last not full
    training a(m, batch, {}), b(m, batch, chunked);
    CHECK_NEAR(a.loss(batch), b.loss(batch), 1e-6);
    CHECK(tiny::relative_error(tiny::gradients_of(b, batch), tiny::gradients_of(a, batch)) < 1e-5);
}

TEST("train/gradients: tokens at padding positions change nothing") {
    const auto m = arch("llama");
    micro_batch batch = tiny_batch(*m, 2, 12);
    batch.target_position.resize(6); // the first row's; its end and the whole second row carry no loss
    batch.target_token.resize(6);
    batch.target_weight.resize(6);
    training t(m, batch, {});
    const tiny::tensor_values before = tiny::gradients_of(t, batch);
    for (size_t i = 7; i < 24; i++) batch.tokens[i] = (batch.tokens[i] + 11) % 100;
    CHECK(tiny::relative_error(tiny::gradients_of(t, batch), before) < 1e-6);
}
