// Products with kept weights, called directly.

#include "cpu/kernels/weight-cache.h"

#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "cpu/kernels/lora-linear.h"
#include "cpu/kernels/output-loss.h"
#include "cpu/kernels/weight-product.h"
#include "harness.h"

#include <ggml-backend.h>

#include <set>

using namespace llamatune;

namespace {

constexpr int64_t n_in = 256, n_out = 320, n_tokens = 70, rank = 4;

struct problem {
    ggml_context_ptr ctx{ggml_init({1 << 20, nullptr, true})};
    ggml_tensor * w;
    ggml_backend_buffer_ptr buffer;
    std::vector<float> x, factor;
    rng random{9};

    explicit problem(ggml_type type, ggml_backend_buffer_usage usage = GGML_BACKEND_BUFFER_USAGE_WEIGHTS)
        : w(ggml_new_tensor_2d(ctx.get(), type, n_in, n_out)),
          buffer(ggml_backend_alloc_ctx_tensors_from_buft(ctx.get(), ggml_backend_cpu_buffer_type())) {
        ggml_backend_buffer_set_usage(buffer.get(), usage);
        fill_weight();
        x.resize(size_t(n_tokens * (n_out + rank)));
        factor.resize(size_t(rank * n_out));
        random.fill_normal(x.data(), x.size(), 1.0f);
        fill_factor();
    }
    void fill_weight() {
        std::vector<float> values(size_t(n_in * n_out));
        random.fill_normal(values.data(), values.size(), 0.3f);
        ggml_quantize_chunk(w->type, values.data(), w->data, 0, n_out, n_in, nullptr);
    }
    void fill_factor() { random.fill_normal(factor.data(), factor.size(), 0.3f); }

    std::vector<float> run(executor & exec, product_direction direction) const {
        weight_product product{w, direction, factor.data(), rank, 1, rank};
        const activation rows =
            make_activation(exec.input_buffer(), gemm_type::bf16, n_tokens, product.n_inner() + rank);
        convert_rows(exec, x.data(), rows.width, rows.width, rows);
        std::vector<float> result(size_t(n_tokens * product.n_columns()));
        product.run(exec, rows, result.data(), product.n_columns());
        return result;
    }
};

constexpr product_direction directions[] = {product_direction::forward, product_direction::backward};

}

TEST("cpu/kernels/weight-cache: kept weights give the same bits, also when the LoRA factor changes") {
    for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q4_K, GGML_TYPE_F16}) {
        for (const int n_threads : {1, 2, 3}) {
            problem p(type);
            executor plain(n_threads, gemm_type::bf16), keeping(n_threads, gemm_type::bf16);
            keeping.kept_weights().set_enabled(true);
            for (int step = 0; step < 3; step++, p.fill_factor()) {
                for (const product_direction d : directions) CHECK(p.run(plain, d) == p.run(keeping, d));
            }
        }
    }
}

TEST("cpu/kernels/weight-cache: a kept weight is not read again until the cache is turned off") {
    if (!gemm_packs_bf16()) return; // this CPU's products read no other layout
    problem p(GGML_TYPE_Q8_0);
    executor exec(2, gemm_type::bf16);
    exec.kept_weights().set_enabled(true);
    const auto before = p.run(exec, product_direction::forward);
    CHECK_EQ(exec.kept_weights().bytes(), size_t(padded(n_in + rank, packed_rows) * n_out) * sizeof(uint16_t));
    p.fill_weight();
    CHECK(p.run(exec, product_direction::forward) == before);
    exec.kept_weights().set_enabled(false);
    CHECK_EQ(exec.kept_weights().bytes(), size_t(0));
    CHECK(p.run(exec, product_direction::forward) != before);
}

TEST("cpu/kernels/weight-cache: only weights of a model are kept, and none of F32, which may be trained") {
    const problem trained(GGML_TYPE_F32), computed(GGML_TYPE_F16, GGML_BACKEND_BUFFER_USAGE_COMPUTE);
    for (const problem * p : {&trained, &computed}) {
        executor exec(2, gemm_type::bf16);
        exec.kept_weights().set_enabled(true);
        for (const product_direction d : directions) p->run(exec, d);
        CHECK_EQ(exec.kept_weights().bytes(), size_t(0));
    }
}

TEST("cpu/kernels/weight-cache: linear layers and the loss announce the weights that they keep") {
    problem p(GGML_TYPE_Q8_0);
    const ggml_context_ptr ctx{ggml_init({16 << 20, nullptr, false})};
    const auto floats = [&](int64_t n, int64_t m) {
        return ggml_set_zero(ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, n, m));
    };
    ggml_tensor *x = floats(n_in, n_tokens), *y = floats(n_out, n_tokens), *a = floats(n_in, rank),
                *b = floats(rank, n_out);
    executor exec(2, gemm_type::bf16);
    exec.kept_weights().set_enabled(true);
    scratch_need need = lora_linear_scratch(exec, p.w, n_tokens, rank);
    need.merge(lora_linear_back_scratch(exec, p.w, n_tokens, rank, true));
    need.merge(output_loss_forward_scratch(exec, p.w, n_tokens));
    need.merge(output_loss_backward_scratch(exec, p.w, n_tokens));
    const std::vector<int32_t> targets(n_tokens, 3);
    std::vector<float> losses(n_tokens, 1.0f), best(n_tokens, 0), dhidden(n_in * n_tokens, 0),
        kept(size_t(output_loss_values(n_out, n_tokens)), 0);
    lora_linear(exec, p.w, x, a, b, 2.0f, y);
    lora_linear_back(exec, p.w, x, a, b, 2.0f, y, {dhidden.data(), false, nullptr, nullptr});
    const output_loss loss{p.w, x, targets.data(), 0};
    output_loss_forward(exec, loss, losses.data(), best.data(), kept.data());
    output_loss_backward(exec, loss, kept.data(), losses.data(), dhidden.data());
    size_t announced = 0;
    for (const packed_weight & w : std::set<packed_weight>(need.weights.begin(), need.weights.end())) {
        announced += size_t(w.n_values()) * sizeof(uint16_t);
    }
    CHECK_EQ(announced, exec.kept_weights().bytes());
    CHECK_EQ(announced > 0, gemm_packs_bf16());
}
