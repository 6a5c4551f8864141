// The gradient through a frozen weight of every type is the product with its dequantized values.

#include "autodiff/engine/backward.h"
#include "autodiff/engine/dequantize.h"
#include "autodiff/random-values.h"
#include "core/ggml-ptr.h"
#include "device/test-device.h"
#include "harness.h"
#include "relative-error.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cstring>
#include <set>

using namespace llamatune;

namespace {

// Quantizing to these types takes half a minute, because tables are computed first. Random bits with a sensible scale
// are a valid block of them.
bool is_slow_to_quantize(ggml_type type) {
    const std::set<ggml_type> slow{GGML_TYPE_IQ1_S, GGML_TYPE_IQ1_M,   GGML_TYPE_IQ2_XXS, GGML_TYPE_IQ2_XS,
                                   GGML_TYPE_IQ2_S, GGML_TYPE_IQ3_XXS, GGML_TYPE_IQ3_S};
    return slow.count(type) > 0;
}

void fill_with_random_blocks(ggml_type type, std::vector<char> & bytes, rng & random) {
    for (char & byte : bytes) byte = char(random.below(256));
    const size_t size = ggml_type_size(type);
    for (size_t block = 0; block < bytes.size(); block += size) {
        const ggml_fp16_t scale = ggml_fp32_to_fp16(random.uniform(0.02f, 0.1f));
        if (type != GGML_TYPE_IQ1_M) {
            std::memcpy(&bytes[block], &scale, sizeof(scale));
            continue;
        }
        // the last four 16-bit words each start with four bits of the scale
        for (size_t i = 0; i < 4; i++) {
            char & high = bytes[block + size - 8 + 2 * i + 1];
            high = char((high & 0x0f) | ((scale >> (4 * i)) & 0xf) << 4);
        }
    }
}

// A weight [k, m] of some type and its dequantized values.
struct frozen_weight {
    ggml_type type;
    int64_t k, m;
    std::vector<char> bytes;
    std::vector<float> values;

    frozen_weight(ggml_type type, int64_t k, int64_t m) : type(type), k(k), m(m) {
        rng random(uint64_t(100 + type));
        values = random_values(random, k * m);
        bytes.resize(ggml_row_size(type, k) * size_t(m));
        if (type == GGML_TYPE_F32) {
            std::memcpy(bytes.data(), values.data(), bytes.size());
            return;
        }
        const std::vector<float> importance(size_t(k), 1.0f);
        if (is_slow_to_quantize(type)) {
            fill_with_random_blocks(type, bytes, random);
            ggml_get_type_traits(type)->to_float(bytes.data(), values.data(), k * m);
            for (const float v : values) CHECK(std::fabs(v) < 100);
            return;
        }
        const size_t written = ggml_quantize_chunk(type, values.data(), bytes.data(), 0, m, k, importance.data());
        CHECK_EQ(written, bytes.size());
        ggml_get_type_traits(type)->to_float(bytes.data(), values.data(), k * m);
    }
};

void check_error(double error, double tolerance, const std::string & what) {
    if (error <= tolerance) return;
    std::ostringstream os;
    os << what << " within " << tolerance << " but received a relative error of " << error;
    harness::fail(__FILE__, __LINE__, os.str());
}

// Devices and rules that the gradient is computed with.
struct setup {
    std::string name;
    std::vector<ggml_backend_dev_t> devices;
    rule_mode mode;
    double tolerance = 1e-5;
};

std::vector<setup> setups() {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_dev_t accelerator = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_ACCEL);
    std::vector<setup> all;
    for (const rule_mode mode : {rule_mode::automatic, rule_mode::composed}) {
        const char * name = mode == rule_mode::composed ? ", composed" : ", automatic";
        all.push_back({std::string("the CPU") + name, {cpu}, mode});
        // Devices with F16 units multiply dequantized values in F16.
        if (!test_device::is_cpu())
            all.push_back(
                {ggml_backend_dev_name(test_device::device()) + std::string(name), test_device::devices(), mode, 2e-3});
    }
    if (accelerator) all.push_back({"the CPU with an accelerator", {accelerator, cpu}, rule_mode::automatic});
    return all;
}

// Checks the gradient through W times an input [k, n].
void check_gradient_through(const frozen_weight & weight, int64_t n) {
    const int64_t k = weight.k, m = weight.m;
    rng random(uint64_t(200 + weight.type));
    const std::vector<float> dy = random_values(random, m * n), x = random_values(random, k * n);
    std::vector<double> expected(size_t(k * n));
    for (int64_t column = 0; column < n; column++) {
        for (int64_t j = 0; j < m; j++) {
            const double up = double(dy[size_t(column * m + j)]);
            for (int64_t row = 0; row < k; row++) {
                expected[size_t(column * k + row)] += double(weight.values[size_t(j * k + row)]) * up;
            }
        }
    }
    for (const setup & s : setups()) {
        ggml_context_ptr leaves{ggml_init({8 * ggml_tensor_overhead(), nullptr, true})};
        graph_builder builder;
        tensor_arena & ctx = builder.ctx();
        ggml_tensor * w = ggml_new_tensor_2d(leaves.get(), weight.type, k, m);
        ggml_tensor * input = ggml_new_tensor_2d(leaves.get(), GGML_TYPE_F32, k, n);
        ggml_tensor * upstream = ggml_new_tensor_2d(leaves.get(), GGML_TYPE_F32, m, n);
        ggml_backend_dev_t weight_device = ggml_backend_dev_type(s.devices.front()) == GGML_BACKEND_DEVICE_TYPE_ACCEL
                                               ? s.devices.back()
                                               : s.devices.front();
        ggml_backend_buffer_ptr buffer{
            ggml_backend_alloc_ctx_tensors_from_buft(leaves.get(), ggml_backend_dev_buffer_type(weight_device))};
        ggml_backend_tensor_set(w, weight.bytes.data(), 0, weight.bytes.size());
        ggml_backend_tensor_set(input, x.data(), 0, ggml_nbytes(input));
        ggml_backend_tensor_set(upstream, dy.data(), 0, ggml_nbytes(upstream));
        ggml_tensor * y = ggml_mul_mat(ctx, w, input);
        gradients g(builder, s.devices, {s.mode});
        g.want(input);
        mark_gradient_path(g, {y});
        g.add(y, upstream);
        run_backward(g, {y});
        ggml_tensor * dx = g.of(input);
        ggml_set_output(dx);
        builder.expand(dx);
        test_device::runner runner(s.devices);
        runner.run(builder.finish());
        std::vector<float> received(size_t(k * n));
        ggml_backend_tensor_get(dx, received.data(), 0, ggml_nbytes(dx));
        check_error(relative_error(received, expected), s.tolerance,
                    std::string("the gradient through ") + ggml_type_name(weight.type) + " on " + s.name);
    }
}

// Types that weights never have. Types that are new in ggml are tested by default.
const std::set<ggml_type> never_weights{GGML_TYPE_Q8_1, GGML_TYPE_Q8_K, GGML_TYPE_I8, GGML_TYPE_I16,
                                        GGML_TYPE_I32,  GGML_TYPE_I64,  GGML_TYPE_F64};

std::vector<ggml_type> weight_types() {
    std::vector<ggml_type> types;
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const ggml_type type = ggml_type(i);
        const ggml_type_traits * traits = ggml_get_type_traits(type);
        const bool removed = traits->type_size == 0 || traits->blck_size == 0;
        if (removed || never_weights.count(type)) continue;
        if (type != GGML_TYPE_F32 && !traits->to_float) {
            harness::fail(__FILE__, __LINE__, std::string("a way to dequantize ") + traits->type_name);
        }
        types.push_back(type);
    }
    return types;
}

}

TEST("autodiff/frozen weights: every type that ggml can dequantize") {
    const std::vector<ggml_type> types = weight_types();
    CHECK(types.size() >= 28);
    for (const ggml_type type : types)
        check_gradient_through(frozen_weight(type, 512, 6), 3); // two blocks of the widest types
}

// There are more rows than are dequantized at a time, and the last slice is not full.
TEST("autodiff/frozen weights: an output matrix of a large vocabulary") {
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q6_K}) {
        check_gradient_through(frozen_weight(type, 512, 17000), 2);
    }
}

namespace {

using dequantize_fn = ggml_tensor * (*)(gradients &, ggml_tensor *);

// Two experts of five rows; if sliced, the second to fourth row of each.
std::vector<float> dequantized_values(const frozen_weight & weight, dequantize_fn dequantize, bool sliced) {
    ggml_context_ptr leaves{ggml_init({8 * ggml_tensor_overhead(), nullptr, true})};
    graph_builder builder;
    tensor_arena & ctx = builder.ctx();
    ggml_tensor * w = ggml_new_tensor_3d(leaves.get(), weight.type, weight.k, weight.m / 2, 2);
    ggml_backend_buffer_ptr buffer{
        ggml_backend_alloc_ctx_tensors_from_buft(leaves.get(), ggml_backend_dev_buffer_type(test_device::device()))};
    ggml_backend_tensor_set(w, weight.bytes.data(), 0, weight.bytes.size());
    ggml_tensor * part = sliced ? ggml_view_3d(ctx, w, w->ne[0], 3, 2, w->nb[1], w->nb[2], w->nb[1]) : w;
    gradients g(builder, test_device::devices());
    ggml_tensor * values = dequantize(g, part);
    CHECK(ggml_are_same_shape(values, part) && values->type == GGML_TYPE_F32);
    values = g.contiguous(values);
    ggml_set_output(values);
    builder.expand(values);
    test_device::runner runner;
    runner.run(builder.finish());
    std::vector<float> received(size_t(ggml_nelements(values)));
    ggml_backend_tensor_get(values, received.data(), 0, ggml_nbytes(values));
    return received;
}

std::vector<double> expected_values(const frozen_weight & weight, bool sliced) {
    std::vector<double> expected;
    for (int64_t row = 0; row < weight.m; row++) {
        const int64_t of_expert = row % (weight.m / 2);
        if (sliced && (of_expert < 1 || of_expert > 3)) continue;
        for (int64_t i = 0; i < weight.k; i++) expected.push_back(double(weight.values[size_t(row * weight.k + i)]));
    }
    return expected;
}

}

// Many devices do not cast all types to F32, and some do not gather rows of all types: each function, for each type.
TEST("autodiff/frozen weights: dequantized as rows and as a product") {
    const std::pair<const char *, dequantize_fn> functions[] = {
        {"by rows", dequantized_by_rows}, {"by a product", dequantized_by_product}, {"as devices allow", dequantized}};
    for (const ggml_type type : weight_types()) {
        const frozen_weight weight(type, 512, 10);
        for (const bool sliced : {false, true}) {
            for (const auto & [name, dequantize] : functions) {
                // on a device only the function that it uses: a software device compiles each type's product for
                // seconds
                if (!test_device::is_cpu() && dequantize != dequantized) continue;
                // on some devices a product rounds the values of a block to 16 bits
                const double tolerance = dequantize == dequantized_by_product || !test_device::is_cpu() ? 2e-3 : 1e-6;
                check_error(
                    relative_error(dequantized_values(weight, dequantize, sliced), expected_values(weight, sliced)),
                    tolerance, std::string(ggml_type_name(type)) + " dequantized " + name);
            }
        }
    }
}
