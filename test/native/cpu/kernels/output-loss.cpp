// Cross-entropy of W · hidden, called directly: against the formula in double.

#include "cpu/kernels/output-loss.h"

#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "harness.h"
#include "relative-error.h"

#include <algorithm>
#include <cmath>

using namespace llamatune;

namespace {

struct problem {
    int64_t n_embd, n_vocab, columns;
    std::vector<float> w, hidden, weights; // w: [n_vocab][n_embd], hidden: [columns][n_embd]
    std::vector<int32_t> targets;
    float label_smoothing;
};

problem make_problem(int64_t n_embd, int64_t n_vocab, int64_t columns, float label_smoothing) {
    rng random(5);
    problem p{n_embd, n_vocab, columns, {}, {}, {}, {}, label_smoothing};
    p.w.resize(size_t(n_embd * n_vocab));
    p.hidden.resize(size_t(n_embd * columns));
    random.fill_normal(p.w.data(), p.w.size(), 0.3f);
    random.fill_normal(p.hidden.data(), p.hidden.size(), 1.0f);
    for (int64_t i = 0; i < columns; i++) {
        p.targets.push_back(int32_t(i == 0 ? 0 : i == 1 ? n_vocab - 1 : int64_t(random.below(uint64_t(n_vocab)))));
        p.weights.push_back(i % 5 == 4 ? 0.0f : random.uniform(0.1f, 2.0f));
    }
    return p;
}

struct results {
    std::vector<float> losses, is_best, dhidden;
};

results in_double(const problem & p) {
    results r;
    r.dhidden.resize(p.hidden.size());
    for (int64_t column = 0; column < p.columns; column++) {
        const float * x = p.hidden.data() + column * p.n_embd;
        std::vector<double> logits(size_t(p.n_vocab)), d(size_t(p.n_embd));
        for (int64_t v = 0; v < p.n_vocab; v++) {
            for (int64_t i = 0; i < p.n_embd; i++) logits[size_t(v)] += double(p.w[size_t(v * p.n_embd + i)]) * x[i];
        }
        const double highest = *std::max_element(logits.begin(), logits.end()), smoothing = double(p.label_smoothing);
        double sum = 0, loss = 0;
        for (double logit : logits) sum += std::exp(logit - highest);
        const int32_t target = p.targets[size_t(column)];
        for (int64_t v = 0; v < p.n_vocab; v++) {
            const double log_p = logits[size_t(v)] - highest - std::log(sum);
            const double q = (v == target ? 1 - smoothing : 0) + smoothing / double(p.n_vocab);
            loss -= q * log_p;
            for (int64_t i = 0; i < p.n_embd; i++) {
                d[size_t(i)] += (std::exp(log_p) - q) * double(p.w[size_t(v * p.n_embd + i)]);
            }
        }
        r.losses.push_back(float(loss));
        r.is_best.push_back(logits[size_t(target)] == highest);
        for (int64_t i = 0; i < p.n_embd; i++) {
            r.dhidden[size_t(column * p.n_embd + i)] = float(double(p.weights[size_t(column)]) * d[size_t(i)]);
        }
    }
    return r;
}

results run(const problem & p, gemm_type type, int n_threads, bool with_gradient = true) {
    const ggml_context_ptr ctx{ggml_init({64 << 20, nullptr, false})};
    ggml_tensor * w = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, p.n_embd, p.n_vocab);
    ggml_tensor * hidden = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, p.n_embd, p.columns);
    std::copy(p.w.begin(), p.w.end(), static_cast<float *>(w->data));
    std::copy(p.hidden.begin(), p.hidden.end(), static_cast<float *>(hidden->data));
    executor exec(n_threads, type);
    const output_loss in{w, hidden, p.targets.data(), p.label_smoothing};
    results r{std::vector<float>(size_t(p.columns)), std::vector<float>(size_t(p.columns)),
              std::vector<float>(p.hidden.size())};
    std::vector<float> kept(size_t(output_loss_values(p.n_vocab, p.columns)));
    output_loss_forward(exec, in, r.losses.data(), r.is_best.data(), with_gradient ? kept.data() : nullptr);
    if (with_gradient) output_loss_backward(exec, in, kept.data(), p.weights.data(), r.dhidden.data());
    return r;
}

}

TEST("cpu/kernels/output-loss: losses, accuracy and the gradient of the hidden states") {
    // the vocabulary is not a multiple of a panel, and larger than one part of the backward pass
    for (const auto [n_vocab, columns] : {std::pair<int64_t, int64_t>{2130, 37}, {50, 200}, {4096, 64}}) {
        for (const float smoothing : {0.0f, 0.1f}) {
            const problem p = make_problem(48, n_vocab, columns, smoothing);
            const results expected = in_double(p), exact = run(p, gemm_type::f32, 2), near = run(p, gemm_type::bf16, 2);
            CHECK(relative_error(exact.losses, expected.losses) < 1e-6);
            CHECK(relative_error(exact.dhidden, expected.dhidden) < 1e-6);
            CHECK(exact.is_best == expected.is_best);
            CHECK(relative_error(near.losses, expected.losses) < 3e-3);
            CHECK(relative_error(near.dhidden, expected.dhidden) < 1e-2);
            CHECK(run(p, gemm_type::f32, 2, false).losses == exact.losses);
        }
    }
}

TEST("cpu/kernels/output-loss: the same bits with any number of threads") {
    const problem p = make_problem(64, 3000, 70, 0.1f);
    const results one = run(p, gemm_type::bf16, 1), three = run(p, gemm_type::bf16, 3);
    CHECK(one.losses == three.losses);
    CHECK(one.dhidden == three.dhidden);
}

TEST("cpu/kernels/output-loss: a logit that is not a number makes the loss of its column not a number") {
    problem p = make_problem(48, 200, 33, 0);
    p.hidden[size_t(3 * p.n_embd)] = NAN;
    const results r = run(p, gemm_type::f32, 2);
    CHECK(std::isnan(r.losses[3]));
    CHECK(std::isfinite(r.losses[2]) && std::isfinite(r.losses[4]));
}
