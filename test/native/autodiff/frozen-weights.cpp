// The gradient through a frozen weight of every type is the product with its dequantized values.

#include "autodiff/backward.h"
#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "harness.h"

#include <ggml-backend.h>

using namespace llamatune;

namespace {

std::vector<float> random_values(rng & random, int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    random.fill_normal(values.data(), values.size(), 1.0f);
    return values;
}

// W [k, m] of this type times an input [k, n].
void check_gradient_through(ggml_type type, int64_t k, int64_t m, int64_t n) {
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    rng random(uint64_t(100 + type));
    const std::vector<float> values = random_values(random, k * m), dy = random_values(random, m * n),
                             x = random_values(random, k * n);
    std::vector<char> bytes(ggml_row_size(type, k) * size_t(m));
    const std::vector<float> importance(size_t(k), 1.0f);
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, m, k, importance.data());
    std::vector<float> weight(size_t(k * m));
    ggml_get_type_traits(type)->to_float(bytes.data(), weight.data(), k * m);
    std::vector<double> expected(size_t(k * n));
    for (int64_t column = 0; column < n; column++) {
        for (int64_t j = 0; j < m; j++) {
            const double up = double(dy[size_t(column * m + j)]);
            for (int64_t row = 0; row < k; row++) {
                expected[size_t(column * k + row)] += double(weight[size_t(j * k + row)]) * up;
            }
        }
    }

    for (const rule_mode mode : {rule_mode::automatic, rule_mode::composed}) {
        ggml_context_ptr ctx{ggml_init({256 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true})};
        ggml_tensor * w = ggml_new_tensor_2d(ctx.get(), type, k, m);
        ggml_tensor * input = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, k, n);
        ggml_tensor * upstream = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, m, n);
        ggml_tensor * y = ggml_mul_mat(ctx.get(), w, input);
        ggml_cgraph * graph = ggml_new_graph(ctx.get());
        gradients g(ctx.get(), graph, {ggml_backend_get_device(cpu.get())}, mode);
        g.want(input);
        mark_gradient_path(g, {y});
        g.add(y, upstream);
        run_backward(g, {y});
        ggml_tensor * dx = g.of(input);
        ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors(ctx.get(), cpu.get())};
        ggml_backend_tensor_set(w, bytes.data(), 0, bytes.size());
        ggml_backend_tensor_set(input, x.data(), 0, ggml_nbytes(input));
        ggml_backend_tensor_set(upstream, dy.data(), 0, ggml_nbytes(upstream));
        CHECK(ggml_backend_graph_compute(cpu.get(), graph) == GGML_STATUS_SUCCESS);
        std::vector<float> received(size_t(k * n));
        ggml_backend_tensor_get(dx, received.data(), 0, ggml_nbytes(dx));

        double difference = 0, norm = 0;
        for (size_t i = 0; i < received.size(); i++) {
            difference += (expected[i] - double(received[i])) * (expected[i] - double(received[i]));
            norm += expected[i] * expected[i];
        }
        CHECK(norm > 1);
        if (!(std::sqrt(difference / norm) < 1e-5)) {
            harness::fail(__FILE__, __LINE__,
                          std::string("the gradient through ") + ggml_type_name(type) +
                              " but received a relative error of " + std::to_string(std::sqrt(difference / norm)));
        }
    }
}

}

TEST("autodiff/frozen weights: every type that ggml can dequantize") {
    int types = 0;
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const ggml_type type = ggml_type(i);
        const ggml_type_traits * traits = ggml_get_type_traits(type);
        const bool narrow = type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
        if (!narrow && !(traits->is_quantized && traits->to_float && traits->from_float_ref)) continue;
        if (type == GGML_TYPE_Q8_1) continue;    // a type of inputs, never of weights
        check_gradient_through(type, 512, 6, 3); // two blocks of the widest types
        types++;
    }
    CHECK(types >= 20);
}

// More rows than are dequantized at a time, the last slice not full.
TEST("autodiff/frozen weights: an output matrix of a large vocabulary") {
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0}) check_gradient_through(type, 512, 17000, 2);
}
