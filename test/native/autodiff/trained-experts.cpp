// The gradient of an expert is the sum over the tokens that use it, also if it is computed in slices of tokens.

#include "autodiff/engine/backward.h"
#include "core/rng.h"
#include "harness.h"
#include "relative-error.h"

#include <ggml-backend.h>

using namespace llamatune;

namespace {

struct shape {
    int64_t k, m, n_expert, n_used, n_tokens, slots; // slots: 1 (a shared input) or n_used
};

void check(const shape & s, bool sorted) {
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    graph_builder builder;
    ggml_context * ctx = builder.ctx();
    ggml_tensor * w = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, s.k, s.m, s.n_expert);
    ggml_tensor * x = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, s.k, s.slots, s.n_tokens);
    ggml_tensor * scores = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, s.n_expert, s.n_tokens);
    ggml_tensor * fixed = ggml_new_tensor_2d(ctx, GGML_TYPE_I32, s.n_used, s.n_tokens);
    ggml_tensor * upstream = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, s.m, s.n_used, s.n_tokens);
    ggml_tensor * ids = sorted ? ggml_argsort_top_k(ctx, scores, int(s.n_used)) : fixed;
    ggml_tensor * y = ggml_mul_mat_id(ctx, w, x, ids);
    ggml_tensor * chosen = ggml_cont(ctx, ids);
    builder.expand(chosen);
    gradients g(builder, {ggml_backend_get_device(cpu.get())});
    g.want(w);
    mark_gradient_path(g, {y});
    g.add(y, upstream);
    run_backward(g, {y});
    ggml_tensor * dw = g.of(w);
    ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors(ctx, cpu.get())};
    rng random(4);
    const auto fill = [&](ggml_tensor * t) {
        std::vector<float> values(size_t(ggml_nelements(t)));
        random.fill_normal(values.data(), values.size(), 1.0f);
        ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t));
        return values;
    };
    fill(w);
    fill(scores);
    const std::vector<float> in = fill(x), dy = fill(upstream);
    std::vector<int32_t> experts(size_t(s.n_used * s.n_tokens));
    for (int32_t & e : experts) e = int32_t(random.below(uint64_t(s.n_expert - 1))); // some twice in a token
    ggml_backend_tensor_set(fixed, experts.data(), 0, ggml_nbytes(fixed));
    CHECK(ggml_backend_graph_compute(cpu.get(), builder.finish()) == GGML_STATUS_SUCCESS);
    ggml_backend_tensor_get(chosen, experts.data(), 0, ggml_nbytes(chosen));
    std::vector<float> received(size_t(ggml_nelements(w)));
    ggml_backend_tensor_get(dw, received.data(), 0, ggml_nbytes(dw));

    std::vector<double> expected(received.size());
    for (int64_t slot = 0; slot < s.n_used * s.n_tokens; slot++) {
        const float * from = in.data() + (slot / s.n_used * s.slots + slot % s.n_used % s.slots) * s.k;
        for (int64_t j = 0; j < s.m; j++) {
            double * to = expected.data() + (experts[size_t(slot)] * s.m + j) * s.k;
            for (int64_t i = 0; i < s.k; i++) to[i] += double(from[i]) * double(dy[size_t(slot * s.m + j)]);
        }
    }
    const double difference = relative_error(received, expected);
    if (!(difference < 1e-5)) {
        harness::fail(__FILE__, __LINE__,
                      "the experts' gradient but received a relative error of " + std::to_string(difference));
    }
}

}

TEST("autodiff/trained experts: slices of tokens give the same gradient, whichever side is spread") {
    for (const bool sorted : {true, false}) {
        check({48, 40, 128, 2, 1000, 1}, sorted); // results are spread, for all slots of a token at once
        check({48, 20, 128, 2, 1000, 2}, sorted); // results, for each slot separately
        check({20, 48, 128, 2, 1000, 2}, sorted); // inputs
        check({8, 48, 128, 4, 1500, 1}, sorted);  // inputs that are shared by the slots
    }
}
