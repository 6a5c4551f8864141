// Tests the accelerator in a context for inference against exact values and ggml's CPU back end.

#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "cpu/accelerator.h"
#include "harness.h"
#include "relative-error.h"

#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <cmath>
#include <cstring>

using namespace llamatune;

namespace {

ggml_backend_dev_t accelerator() {
    if (!accelerator_device()) SKIP("no CPU accelerator");
    return accelerator_device();
}

// The buffer type in which ggml lays weights out for AMX.
ggml_backend_buffer_type_t tiles_buffer() {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    const auto get = reinterpret_cast<ggml_backend_buffer_type_t * (*)(ggml_backend_dev_t)>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts"));
    for (ggml_backend_buffer_type_t * type = get ? get(cpu) : nullptr; type && *type; type++) {
        if (!std::strcmp(ggml_backend_buft_name(*type), "AMX")) return *type;
    }
    SKIP("this CPU has no AMX");
}

ggml_context_ptr context() {
    return ggml_context_ptr(ggml_init({64 * ggml_tensor_overhead() + 8 * ggml_graph_overhead(), nullptr, true}));
}

std::vector<float> numbers(int64_t n, uint64_t seed) {
    rng random(seed);
    std::vector<float> values(static_cast<size_t>(n));
    for (float & v : values) v = random.normal();
    return values;
}

void set(ggml_tensor * t, const std::vector<float> & values) {
    ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t));
}

std::vector<float> compute(ggml_backend_t backend, ggml_context * ctx, ggml_tensor * result) {
    ggml_cgraph * graph = ggml_new_graph(ctx);
    ggml_build_forward_expand(graph, result);
    CHECK_EQ(int(ggml_backend_graph_compute(backend, graph)), int(GGML_STATUS_SUCCESS));
    std::vector<float> values(size_t(ggml_nelements(result)));
    ggml_backend_tensor_get(result, values.data(), 0, ggml_nbytes(result));
    return values;
}

}

// Quantized products are at least as exact as ggml's with weights in a buffer of this type.
static void check_quantized_products(ggml_backend_buffer_type_t where) {
    const ggml_backend_ptr device{ggml_backend_dev_init(accelerator(), nullptr)};
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    constexpr int64_t rows = 192, columns = 70;
    for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K,
                                 GGML_TYPE_Q6_K, GGML_TYPE_IQ4_XS}) {
        const int64_t inner = ggml_blck_size(type) == 256 ? 512 : 288; // not whole steps of 256 where that can be
        const ggml_context_ptr weights = context(), rest = context();
        ggml_tensor * w = ggml_new_tensor_2d(weights.get(), type, inner, rows);
        const ggml_backend_buffer_ptr weights_memory{ggml_backend_alloc_ctx_tensors_from_buft(weights.get(), where)};
        ggml_tensor * x = ggml_new_tensor_2d(rest.get(), GGML_TYPE_F32, inner, columns);
        ggml_tensor * y = ggml_mul_mat(rest.get(), w, x);
        const ggml_backend_buffer_ptr memory{ggml_backend_alloc_ctx_tensors(rest.get(), cpu.get())};
        const std::vector<float> original = numbers(ggml_nelements(w), 1), activations = numbers(ggml_nelements(x), 2);
        std::vector<float> wide(original.size()), importance(size_t(inner), 1.0f);
        std::vector<char> packed(ggml_nbytes(w));
        ggml_quantize_chunk(type, original.data(), packed.data(), 0, rows, inner, importance.data());
        ggml_get_type_traits(type)->to_float(packed.data(), wide.data(), int64_t(wide.size()));
        ggml_backend_tensor_set(w, packed.data(), 0, packed.size());
        set(x, activations);
        std::vector<double> exact(size_t(rows * columns));
        for (int64_t c = 0; c < columns; c++) {
            for (int64_t r = 0; r < rows; r++) {
                for (int64_t k = 0; k < inner; k++)
                    exact[size_t(c * rows + r)] +=
                        double(wide[size_t(r * inner + k)]) * activations[size_t(c * inner + k)];
            }
        }
        CHECK(ggml_backend_dev_supports_op(accelerator(), y));
        const double ours = relative_error(compute(device.get(), rest.get(), y), exact);
        const double theirs = relative_error(compute(cpu.get(), rest.get(), y), exact);
        CHECK(ours < 0.005);
        CHECK(ours < theirs);
    }
}

TEST("cpu/inference: quantized products are at least as exact as ggml's") {
    check_quantized_products(ggml_backend_cpu_buffer_type());
}

TEST("cpu/inference: quantized products of weights in AMX tiles are at least as exact as ggml's") {
    check_quantized_products(tiles_buffer());
}

TEST("cpu/inference: a linear layer and its LoRA pair as one kernel") {
    const ggml_backend_ptr device{ggml_backend_dev_init(accelerator(), nullptr)};
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    constexpr int64_t inner = 256, rows = 128, rank = 8, columns = 40;
    for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_F16}) {
        for (const bool alone : {true, false}) { // else W·x is read by something else too, and all of it stays apart
            const ggml_context_ptr ctx = context();
            ggml_tensor *w = ggml_new_tensor_2d(ctx.get(), type, inner, rows),
                        *x = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, inner, columns);
            ggml_tensor *a = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, inner, rank),
                        *b = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, rank, rows);
            ggml_tensor * wx = ggml_mul_mat(ctx.get(), w, x);
            ggml_tensor * pair = ggml_scale(ctx.get(), ggml_mul_mat(ctx.get(), b, ggml_mul_mat(ctx.get(), a, x)), 2.0f);
            ggml_tensor * y = ggml_add(ctx.get(), wx, pair);
            if (!alone)
                y = ggml_add(ctx.get(), wx,
                             ggml_scale(ctx.get(), ggml_mul_mat(ctx.get(), b, ggml_mul_mat(ctx.get(), a, x)), 0.5f));
            if (!alone) y = ggml_add(ctx.get(), y, pair);
            const ggml_backend_buffer_ptr memory{ggml_backend_alloc_ctx_tensors(ctx.get(), cpu.get())};
            const std::vector<float> weights = numbers(ggml_nelements(w), 1);
            std::vector<char> packed(ggml_nbytes(w));
            ggml_quantize_chunk(type, weights.data(), packed.data(), 0, rows, inner, nullptr);
            ggml_backend_tensor_set(w, packed.data(), 0, packed.size());
            set(x, numbers(ggml_nelements(x), 2));
            set(a, numbers(ggml_nelements(a), 3));
            set(b, numbers(ggml_nelements(b), 4));
            for (ggml_tensor * node : {wx, pair, y}) CHECK(ggml_backend_dev_supports_op(accelerator(), node));
            CHECK(relative_error(compute(device.get(), ctx.get(), y), compute(cpu.get(), ctx.get(), y)) <
                  (type == GGML_TYPE_F16 ? 1e-3 : 1e-2));
            const std::vector<float> of_pair = compute(device.get(), ctx.get(), pair);
            CHECK(relative_error(of_pair, compute(cpu.get(), ctx.get(), pair)) < 1e-5);
        }
    }
}

TEST("cpu/inference: attention over a cache with masked cells at the end") {
    const ggml_backend_ptr device{ggml_backend_dev_init(accelerator(), nullptr)};
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    constexpr int64_t width = 64, heads = 6, key_heads = 2, n = 50, past = 33, n_keys = 256;
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_F32, GGML_TYPE_Q8_0}) {
        for (const bool with_sinks : {false, true}) {
            for (const float bias : {0.0f, 8.0f}) {
                const ggml_context_ptr ctx = context();
                ggml_tensor * q = ggml_new_tensor_3d(ctx.get(), GGML_TYPE_F32, width, heads, n);
                ggml_tensor *k = ggml_new_tensor_3d(ctx.get(), type, width, key_heads, n_keys),
                            *v = ggml_dup_tensor(ctx.get(), k);
                ggml_tensor *mask = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F16, n_keys, n),
                            *sinks = ggml_new_tensor_1d(ctx.get(), GGML_TYPE_F32, heads);
                const auto view = [&](ggml_tensor * t) { return ggml_permute(ctx.get(), t, 0, 2, 1, 3); };
                ggml_tensor * y = ggml_flash_attn_ext(ctx.get(), view(q), view(k), view(v), mask, 0.125f, bias, 0.0f);
                if (with_sinks) ggml_flash_attn_ext_add_sinks(y, sinks);
                const ggml_backend_buffer_ptr memory{ggml_backend_alloc_ctx_tensors(ctx.get(), cpu.get())};
                set(q, numbers(ggml_nelements(q), 1));
                set(sinks, numbers(heads, 4));
                for (ggml_tensor * t : {k, v}) {
                    const std::vector<float> values = numbers(ggml_nelements(t), t == k ? 2 : 3);
                    std::vector<char> packed(ggml_nbytes(t));
                    if (type == GGML_TYPE_F32) {
                        set(t, values);
                    } else {
                        ggml_quantize_chunk(type, values.data(), packed.data(), 0, ggml_nrows(t), width, nullptr);
                        ggml_backend_tensor_set(t, packed.data(), 0, packed.size());
                    }
                }
                std::vector<ggml_fp16_t> seen(size_t(n_keys * n));
                for (int64_t i = 0; i < n; i++) {
                    for (int64_t j = 0; j < n_keys; j++) {
                        const float value = j > past + i ? -INFINITY : bias > 0 ? float(j - past - i) : 0.0f;
                        seen[size_t(i * n_keys + j)] = ggml_fp32_to_fp16(value);
                    }
                }
                ggml_backend_tensor_set(mask, seen.data(), 0, ggml_nbytes(mask));
                CHECK(ggml_backend_dev_supports_op(accelerator(), y));
                CHECK(relative_error(compute(device.get(), ctx.get(), y), compute(cpu.get(), ctx.get(), y)) <
                      (type == GGML_TYPE_Q8_0 ? 2e-2 : 2e-3));
            }
        }
    }
}
