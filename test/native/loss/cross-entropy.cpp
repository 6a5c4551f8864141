#include "autodiff/engine/backward.h"
#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "harness.h"
#include "loss/chunk-columns.h"
#include "loss/objective.h"

#include <ggml-backend.h>

#include <algorithm>

using namespace llamatune;

namespace {

struct result {
    std::vector<float> loss, accuracy, dlogits;
};

struct settings {
    bool host = false; // the host's kernel, otherwise ops
    float label_smoothing = 0;
    bool with_gradient = true;
    bool evaluation = false;
};

std::unique_ptr<objective> cross_entropy(float label_smoothing = 0) {
    return make_objective({"cross-entropy", {{"labelSmoothing", double(label_smoothing)}}});
}

result on_cpu(int64_t n_vocab, const std::vector<float> & logits, const std::vector<int32_t> & targets,
              const std::vector<float> & weights, const settings & s) {
    const int64_t columns = int64_t(targets.size());
    ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    ggml_context_ptr ctx{ggml_init({64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true})};
    ggml_tensor * x = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, n_vocab, columns);
    ggml_tensor * t = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_I32, 1, columns);
    ggml_tensor * w = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 1, columns);
    ggml_tensor * losses = ggml_new_tensor_1d(ctx.get(), GGML_TYPE_F32, columns);
    ggml_tensor * metrics = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, columns, 1);
    ggml_cgraph * graph = ggml_new_graph(ctx.get());
    const auto loss = cross_entropy(s.label_smoothing);
    ggml_tensor * dlogits =
        loss->build(ctx.get(), {nullptr, x, t, w, losses, metrics, s.with_gradient, s.host, s.evaluation},
                    [&](ggml_tensor * node) { ggml_build_forward_expand(graph, node); })
            .logits;
    if (s.with_gradient) ggml_build_forward_expand(graph, dlogits);
    ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors(ctx.get(), cpu.get())};
    ggml_backend_tensor_set(x, logits.data(), 0, ggml_nbytes(x));
    ggml_backend_tensor_set(t, targets.data(), 0, ggml_nbytes(t));
    ggml_backend_tensor_set(w, weights.data(), 0, ggml_nbytes(w));
    CHECK(ggml_backend_graph_compute(cpu.get(), graph) == GGML_STATUS_SUCCESS);
    result r;
    r.loss.resize(size_t(columns));
    r.accuracy.resize(size_t(columns));
    ggml_backend_tensor_get(losses, r.loss.data(), 0, ggml_nbytes(losses));
    ggml_backend_tensor_get(metrics, r.accuracy.data(), 0, ggml_nbytes(metrics));
    if (s.with_gradient) {
        r.dlogits.resize(logits.size());
        ggml_backend_tensor_get(dlogits, r.dlogits.data(), 0, ggml_nbytes(dlogits));
    }
    return r;
}

struct reference {
    std::vector<double> loss, accuracy, dlogits;
};

// With label smoothing as in torch.nn.CrossEntropyLoss: the target distribution is (1 - ε) onehot + ε / n_vocab.
reference in_double(int64_t n_vocab, const std::vector<float> & logits, const std::vector<int32_t> & targets,
                    const std::vector<float> & weights, float label_smoothing = 0) {
    const double smoothing = double(label_smoothing);
    reference r;
    for (size_t column = 0; column < targets.size(); column++) {
        const float * x = logits.data() + column * size_t(n_vocab);
        const double highest = *std::max_element(x, x + n_vocab);
        double sum = 0;
        for (int64_t i = 0; i < n_vocab; i++) sum += std::exp(double(x[i]) - highest);
        r.loss.push_back(0);
        for (int64_t i = 0; i < n_vocab; i++) {
            const double log_p = double(x[i]) - highest - std::log(sum);
            const double q = (i == targets[column] ? 1 - smoothing : 0) + smoothing / double(n_vocab);
            r.loss.back() -= q * log_p;
            r.dlogits.push_back(double(weights[column]) * (std::exp(log_p) - q));
        }
        r.accuracy.push_back(double(x[targets[column]]) == highest);
    }
    return r;
}

// The tolerance of a softmax over a few thousand F32 numbers: absolute 1e-5, relative 5e-4.
void check_equal(const std::vector<float> & received, const std::vector<double> & expected) {
    CHECK_EQ(received.size(), expected.size());
    for (size_t i = 0; i < received.size(); i++) {
        CHECK_NEAR(received[i], expected[i], 1e-5 + 5e-4 * std::fabs(expected[i]));
    }
}

}

TEST("loss/cross-entropy: losses, gradients and accuracy of random logits, with and without label smoothing") {
    rng random(11);
    for (const int64_t n_vocab : {2, 5, 128, 4099}) {
        std::vector<float> logits, weights;
        std::vector<int32_t> targets;
        for (int column = 0; column < 9; column++) {
            for (int64_t i = 0; i < n_vocab; i++) logits.push_back(4 * random.normal());
            const auto first = logits.end() - n_vocab;
            targets.push_back(column % 2 ? int32_t(std::max_element(first, logits.end()) - first)
                                         : int32_t(random.below(uint64_t(n_vocab))));
            weights.push_back(column % 3 ? random.uniform(0.1f, 2.0f) : 0.0f);
        }
        for (const float smoothing : {0.0f, 0.1f, 0.9f}) {
            const reference e = in_double(n_vocab, logits, targets, weights, smoothing);
            for (const bool host : {false, true}) {
                const result r = on_cpu(n_vocab, logits, targets, weights, {host, smoothing});
                check_equal(r.loss, e.loss);
                check_equal(r.dlogits, e.dlogits);
                check_equal(r.accuracy, e.accuracy);
                const result forward_only = on_cpu(n_vocab, logits, targets, weights, {host, smoothing, false});
                check_equal(forward_only.loss, e.loss);
                check_equal(forward_only.accuracy, e.accuracy);
                // a weight of zero takes the column's gradient out exactly, and leaves its loss
                CHECK(std::all_of(r.dlogits.begin(), r.dlogits.begin() + n_vocab, [](float v) { return v == 0; }));
                CHECK(r.loss[0] > 0);
            }
        }
    }
}

TEST("loss/cross-entropy: evaluation leaves out label smoothing") {
    rng random(3);
    std::vector<float> logits;
    for (int i = 0; i < 300; i++) logits.push_back(3 * random.normal());
    const std::vector<int32_t> targets = {4, 0, 99};
    const std::vector<float> weights(3, 1.0f);
    for (const bool host : {false, true}) {
        const result plain = on_cpu(100, logits, targets, weights, {host, 0.0f, false});
        const result smoothed = on_cpu(100, logits, targets, weights, {host, 0.2f, false});
        const result evaluated = on_cpu(100, logits, targets, weights, {host, 0.2f, false, true});
        CHECK(evaluated.loss == plain.loss);
        for (size_t i = 0; i < 3; i++) CHECK(std::fabs(smoothed.loss[i] - plain.loss[i]) > 1e-3f);
    }
}

TEST("loss/cross-entropy: extreme logits stay finite") {
    const int64_t n_vocab = 6;
    const std::vector<std::vector<float>> columns = {
        {1e4f, 0, 0, 0, 0, 0},                      // certain and right
        {1e4f, 0, 0, 0, 0, 0},                      // certain and wrong
        {-1e4f, -1e4f, -1e4f, -1e4f, -1e4f, -1e4f}, // all equal and very low
        {1e4f, 1e4f, -1e4f, -1e4f, 1e4f, -1e4f},    // a few ties
        {-1e4f, 1e4f, 0, 5e3f, -5e3f, 1},
        {0, 0, 0, 0, 0, 0},
    };
    const std::vector<int32_t> targets = {0, 3, 2, 4, 0, 5};
    std::vector<float> logits;
    for (const auto & column : columns) logits.insert(logits.end(), column.begin(), column.end());
    const std::vector<float> weights(targets.size(), 0.5f);
    const reference e = in_double(n_vocab, logits, targets, weights);
    for (bool host : {false, true}) {
        const result r = on_cpu(n_vocab, logits, targets, weights, {host});
        check_equal(r.loss, e.loss);
        check_equal(r.dlogits, e.dlogits);
        CHECK((r.accuracy == std::vector<float>{1, 0, 1, 1, 0, 1})); // no logit exceeds one of several equal ones
        CHECK_EQ(r.loss[0], 0.0f);
        CHECK_EQ(r.loss[1], 1e4f);
        CHECK_NEAR(r.loss[2], std::log(6.0), 2e-3); // a logit of 1e4 leaves F32 an absolute precision of 1e-3
    }
}

TEST("loss/cross-entropy: chunks are as large as the budget allows, in multiples of 32") {
    const int64_t column = 3 * 1000 * 4; // bytes
    CHECK_EQ(loss_chunk_columns(1000, 4096, 100 * column, 3), int64_t(96));
    CHECK_EQ(loss_chunk_columns(1000, 4096, 1, 3), int64_t(32));
    CHECK_EQ(loss_chunk_columns(1000, 4096, 1ll << 40, 3), int64_t(4096));
    CHECK_EQ(loss_chunk_columns(1000, 20, 1, 3), int64_t(20));
    CHECK_EQ(loss_chunk_columns(1000, 1, 1ll << 40, 3), int64_t(1));
    for (const int64_t budget : {1ll << 20, 1ll << 24, 1ll << 28}) {
        const int64_t columns = loss_chunk_columns(151936, 4096, budget, 3);
        CHECK(columns == 32 || columns * 3 * 151936 * 4 <= budget);
        CHECK(columns % 32 == 0);
    }
}

// logits = W h: compares the gradients of W and h, all columns at once and in chunks, with double precision.
TEST("loss/cross-entropy: through a projection, whole and in chunks") {
    const int64_t n_embd = 24, n_vocab = 50, n_tokens = 40;
    rng random(5);
    std::vector<float> w_values, h_values, weights;
    std::vector<int32_t> targets;
    for (int64_t i = 0; i < n_embd * n_vocab; i++) w_values.push_back(0.5f * random.normal());
    for (int64_t i = 0; i < n_embd * n_tokens; i++) h_values.push_back(random.normal());
    for (int64_t i = 0; i < n_tokens; i++) {
        targets.push_back(int32_t(random.below(uint64_t(n_vocab))));
        weights.push_back(i % 7 == 3 ? 0.0f : 1.0f / float(n_tokens));
    }

    std::vector<float> logits;
    for (int64_t t = 0; t < n_tokens; t++) {
        for (int64_t v = 0; v < n_vocab; v++) {
            double sum = 0;
            for (int64_t i = 0; i < n_embd; i++)
                sum += double(w_values[size_t(v * n_embd + i)]) * h_values[size_t(t * n_embd + i)];
            logits.push_back(float(sum));
        }
    }
    const reference e = in_double(n_vocab, logits, targets, weights);
    std::vector<double> dw(w_values.size()), dh(h_values.size());
    for (int64_t t = 0; t < n_tokens; t++) {
        for (int64_t v = 0; v < n_vocab; v++) {
            const double d = e.dlogits[size_t(t * n_vocab + v)];
            for (int64_t i = 0; i < n_embd; i++) {
                dw[size_t(v * n_embd + i)] += d * h_values[size_t(t * n_embd + i)];
                dh[size_t(t * n_embd + i)] += d * w_values[size_t(v * n_embd + i)];
            }
        }
    }

    for (const int64_t columns : {int64_t(40), int64_t(13), int64_t(1)}) {
        ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
        graph_builder builder;
        ggml_context * ctx = builder.ctx();
        ggml_tensor * w = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n_embd, n_vocab);
        ggml_tensor * total = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n_embd, n_vocab);
        ggml_tensor * h = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n_embd, columns);
        ggml_tensor * t = ggml_new_tensor_2d(ctx, GGML_TYPE_I32, 1, columns);
        ggml_tensor * weight = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 1, columns);
        ggml_tensor * product = ggml_mul_mat(ctx, w, h);
        gradients g(builder, {ggml_backend_get_device(cpu.get())});
        g.want(w);
        g.want(h);
        g.accumulate_into(w, total);
        mark_gradient_path(g, {product});
        ggml_tensor * losses = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, columns);
        ggml_tensor * metrics = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, columns, 1);
        const auto expand = [&](ggml_tensor * node) { builder.expand(node); };
        const loss_chunk chunk{h, product, t, weight, losses, metrics, true, false, false};
        g.add(product, cross_entropy()->build(ctx, chunk, expand).logits);
        run_backward(g, {product});
        ggml_cgraph * graph = builder.finish();
        ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors(ctx, cpu.get())};
        ggml_backend_buffer_clear(buffer.get(), 0);
        ggml_backend_tensor_set(w, w_values.data(), 0, ggml_nbytes(w));
        std::vector<float> loss(size_t(n_tokens), 0.0f), received_dh(h_values.size()), received_dw(w_values.size());
        for (int64_t first = 0; first < n_tokens; first += columns) {
            const int64_t count = std::min(columns, n_tokens - first);
            std::vector<float> h_chunk(size_t(columns * n_embd), 0.0f), weight_chunk(size_t(columns), 0.0f);
            std::vector<int32_t> t_chunk(size_t(columns), 0);
            std::copy_n(h_values.begin() + first * n_embd, count * n_embd, h_chunk.begin());
            std::copy_n(weights.begin() + first, count, weight_chunk.begin());
            std::copy_n(targets.begin() + first, count, t_chunk.begin());
            ggml_backend_tensor_set(h, h_chunk.data(), 0, ggml_nbytes(h));
            ggml_backend_tensor_set(weight, weight_chunk.data(), 0, ggml_nbytes(weight));
            ggml_backend_tensor_set(t, t_chunk.data(), 0, ggml_nbytes(t));
            CHECK(ggml_backend_graph_compute(cpu.get(), graph) == GGML_STATUS_SUCCESS);
            ggml_backend_tensor_get(losses, loss.data() + first, 0, size_t(count) * sizeof(float));
            ggml_backend_tensor_get(g.of(h), received_dh.data() + first * n_embd, 0,
                                    size_t(count * n_embd) * sizeof(float));
        }
        ggml_backend_tensor_get(total, received_dw.data(), 0, ggml_nbytes(total));
        check_equal(loss, e.loss);
        check_equal(received_dh, dh);
        check_equal(received_dw, dw);
    }
}
