// The gradient through frozen quantized experts is the product with their dequantized values, also if they are
// dequantized in slices.

#include "autodiff/engine/backward.h"
#include "autodiff/random-values.h"
#include "harness.h"
#include "relative-error.h"

#include <ggml-backend.h>

using namespace llamatune;

namespace {

struct shape {
    int64_t k, m, n_expert, n_used, n_tokens, slots; // slots: 1 (a shared input) or n_used
};

void check_gradient_through(ggml_type type, const shape & s) {
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    rng random(uint64_t(100 + type));
    const int64_t n_rows = s.m * s.n_expert;
    const std::vector<float> values = random_values(random, s.k * n_rows),
                             dy = random_values(random, s.m * s.n_used * s.n_tokens);
    std::vector<char> bytes(ggml_row_size(type, s.k) * size_t(n_rows));
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, n_rows, s.k, nullptr);
    std::vector<float> weight(values.size());
    ggml_get_type_traits(type)->to_float(bytes.data(), weight.data(), s.k * n_rows);
    std::vector<int32_t> ids;
    for (int64_t t = 0; t < s.n_tokens; t++) {
        for (int64_t u = 0; u < s.n_used; u++)
            ids.push_back(int32_t((t * 3 + u * 5) % (s.n_expert - 1))); // the last is never used
    }
    std::vector<double> expected(size_t(s.k * s.slots * s.n_tokens));
    for (int64_t t = 0; t < s.n_tokens; t++) {
        for (int64_t u = 0; u < s.n_used; u++) {
            const int64_t slot = t * s.n_used + u;
            double * to = expected.data() + (t * s.slots + u % s.slots) * s.k;
            for (int64_t j = 0; j < s.m; j++) {
                const double up = double(dy[size_t(slot * s.m + j)]);
                const float * row = weight.data() + (ids[size_t(slot)] * s.m + j) * s.k;
                for (int64_t i = 0; i < s.k; i++) to[i] += double(row[i]) * up;
            }
        }
    }

    graph_builder builder;
    ggml_context * ctx = builder.ctx();
    ggml_tensor * w = ggml_new_tensor_3d(ctx, type, s.k, s.m, s.n_expert);
    ggml_tensor * input = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, s.k, s.slots, s.n_tokens);
    ggml_tensor * chosen = ggml_new_tensor_2d(ctx, GGML_TYPE_I32, s.n_used, s.n_tokens);
    ggml_tensor * upstream = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, s.m, s.n_used, s.n_tokens);
    ggml_tensor * y = ggml_mul_mat_id(ctx, w, input, chosen);
    gradients g(builder, {ggml_backend_get_device(cpu.get())});
    g.want(input);
    mark_gradient_path(g, {y});
    g.add(y, upstream);
    run_backward(g, {y});
    ggml_tensor * dx = g.of(input);
    ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors(ctx, cpu.get())};
    ggml_backend_tensor_set(w, bytes.data(), 0, bytes.size());
    ggml_backend_tensor_set(chosen, ids.data(), 0, ggml_nbytes(chosen));
    ggml_backend_tensor_set(upstream, dy.data(), 0, ggml_nbytes(upstream));
    CHECK(ggml_backend_graph_compute(cpu.get(), builder.finish()) == GGML_STATUS_SUCCESS);
    std::vector<float> received(expected.size());
    ggml_backend_tensor_get(dx, received.data(), 0, ggml_nbytes(dx));
    const double difference = relative_error(received, expected);
    if (!(difference < 1e-5)) {
        harness::fail(__FILE__, __LINE__,
                      std::string("the gradient through ") + ggml_type_name(type) +
                          " but received a relative error of " + std::to_string(difference));
    }
}

}

TEST("autodiff/frozen experts: quantized types, with one input for all slots and with one per slot") {
    for (const ggml_type type :
         {GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL, GGML_TYPE_MXFP4}) {
        check_gradient_through(type, {512, 6, 5, 3, 4, 1});
        check_gradient_through(type, {512, 6, 5, 3, 4, 3});
    }
}

// There are more rows than are dequantized at a time, and the last slice is not full.
TEST("autodiff/frozen experts: more rows than one slice") {
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0}) check_gradient_through(type, {512, 150, 64, 3, 4, 1});
}
