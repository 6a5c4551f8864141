// The kernels for experts called directly: bfloat16 against F32.

#include "cpu/kernels/expert-linear.h"

#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "harness.h"
#include "relative-error.h"

using namespace llamatune;

TEST("cpu/kernels/expert-linear: with bfloat16 operands, close to F32") { // emulated where the CPU has no units for it
    rng random(3);
    const auto made = [&](ggml_context * ctx, std::vector<int64_t> ne, float size) {
        ggml_tensor * t = ggml_new_tensor(ctx, GGML_TYPE_F32, int(ne.size()), ne.data());
        random.fill_normal(static_cast<float *>(t->data), size_t(ggml_nelements(t)), size);
        return t;
    };
    for (const int64_t slots : {1, 2}) {
        const ggml_context_ptr ctx{ggml_init({64 << 20, nullptr, false})};
        const int64_t k = 128, m = 192, n_expert = 5, n_used = 2, n_tokens = 150, rank = 4;
        ggml_tensor * ids = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_I32, n_used, n_tokens);
        for (int64_t i = 0; i < n_used * n_tokens; i++)
            static_cast<int32_t *>(ids->data)[i] = int32_t((i + i / 7) % (n_expert - 1));
        const expert_linear e{
            made(ctx.get(), {k, m, n_expert}, 0.1f),    made(ctx.get(), {k, slots, n_tokens}, 1.0f), ids,
            made(ctx.get(), {k, rank, n_expert}, 0.1f), made(ctx.get(), {rank, m, n_expert}, 0.5f),  2.0f};
        const ggml_tensor * dy = made(ctx.get(), {m, n_used, n_tokens}, 1.0f);
        const auto run = [&](gemm_type type) {
            executor exec(2, type);
            std::vector<ggml_tensor *> out{ggml_new_tensor_3d(ctx.get(), GGML_TYPE_F32, m, n_used, n_tokens),
                                           ggml_dup_tensor(ctx.get(), e.a), ggml_dup_tensor(ctx.get(), e.b),
                                           ggml_dup_tensor(ctx.get(), e.w), ggml_dup_tensor(ctx.get(), e.x)};
            for (ggml_tensor * t : out) ggml_set_zero(t);
            const auto data = [&](int i) { return static_cast<float *>(out[size_t(i)]->data); };
            expert_linear_forward(exec, e, out[0]);
            expert_linear_back(exec, e, dy, {data(1), data(2), data(3), data(4), false});
            std::vector<std::vector<float>> values;
            for (const ggml_tensor * t : out) {
                const float * first = static_cast<const float *>(t->data);
                values.emplace_back(first, first + ggml_nelements(t));
            }
            return values;
        };
        const auto wide = run(gemm_type::f32), narrow = run(gemm_type::bf16);
        for (size_t i = 0; i < wide.size(); i++) {
            const double error = relative_error(narrow[i], wide[i]);
            if (!(error > 0 && error < 1.5e-2))
                harness::fail(__FILE__, __LINE__,
                              "result " + std::to_string(i) + ", received " + std::to_string(error));
        }
    }
}
