// The scratch memory that kernels announce, against what they allocate. The memory estimate counts it.

#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "cpu/kernels/expert-linear.h"
#include "cpu/kernels/lora-linear.h"
#include "harness.h"

using namespace llamatune;

namespace {

ggml_tensor * random_tensor(ggml_context * ctx, std::vector<int64_t> ne) {
    static rng random(3);
    ggml_tensor * t = ggml_new_tensor(ctx, GGML_TYPE_F32, int(ne.size()), ne.data());
    random.fill_normal(static_cast<float *>(t->data), size_t(ggml_nelements(t)), 0.1f);
    return t;
}

float * zeros(ggml_context * ctx, const ggml_tensor * like) {
    return static_cast<float *>(ggml_set_zero(ggml_dup_tensor(ctx, like))->data);
}

void check_need(const scratch_need & need, const executor & exec) {
    const double announced = double(need.thread * exec.n_threads() + need.input + need.shared);
    const double ratio = announced / double(exec.scratch_bytes());
    if (!(ratio > 0.9 && ratio < 1.1)) {
        harness::fail(__FILE__, __LINE__,
                      "the kernels announce " + std::to_string(ratio) + " times what they allocate");
    }
}

}

TEST("cpu/kernels/scratch: linear layers announce the memory that they allocate") {
    for (const gemm_type type : {gemm_type::f32, gemm_type::bf16}) {
        const ggml_context_ptr ctx{ggml_init({256 << 20, nullptr, false})};
        const int64_t k = 512, m = 1024, rank = 8, n_tokens = 6000;
        const ggml_tensor *w = random_tensor(ctx.get(), {k, m}), *x = random_tensor(ctx.get(), {k, n_tokens}),
                          *a = random_tensor(ctx.get(), {k, rank}), *b = random_tensor(ctx.get(), {rank, m}),
                          *dy = random_tensor(ctx.get(), {m, n_tokens});
        executor exec(2, type);
        scratch_need need = lora_linear_scratch(exec, w, n_tokens, rank);
        need.merge(lora_linear_back_scratch(exec, w, n_tokens, rank, true));
        lora_linear(exec, w, x, a, b, 2.0f, ggml_dup_tensor(ctx.get(), dy));
        lora_linear_back(exec, w, x, a, b, 2.0f, dy,
                         {zeros(ctx.get(), x), false, zeros(ctx.get(), a), zeros(ctx.get(), b)});
        check_need(need, exec);
    }
}

TEST("cpu/kernels/scratch: experts announce the memory that they allocate") {
    for (const gemm_type type : {gemm_type::f32, gemm_type::bf16}) {
        const ggml_context_ptr ctx{ggml_init({256 << 20, nullptr, false})};
        const int64_t k = 256, m = 384, n_expert = 16, n_used = 4, n_tokens = 2000, rank = 4;
        ggml_tensor * ids = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_I32, n_used, n_tokens);
        for (int64_t i = 0; i < n_used * n_tokens; i++)
            static_cast<int32_t *>(ids->data)[i] = int32_t((i + i / 7) % n_expert);
        const expert_linear e{
            random_tensor(ctx.get(), {k, m, n_expert}),    random_tensor(ctx.get(), {k, 1, n_tokens}),    ids,
            random_tensor(ctx.get(), {k, rank, n_expert}), random_tensor(ctx.get(), {rank, m, n_expert}), 2.0f};
        ggml_tensor * dy = random_tensor(ctx.get(), {m, n_used, n_tokens});
        executor exec(2, type);
        scratch_need need = expert_linear_scratch(exec, e);
        need.merge(expert_linear_back_scratch(exec, e));
        expert_linear_forward(exec, e, ggml_dup_tensor(ctx.get(), dy));
        expert_linear_back(exec, e, dy,
                           {zeros(ctx.get(), e.a), zeros(ctx.get(), e.b), nullptr, zeros(ctx.get(), e.x), false});
        check_need(need, exec);
    }
}
