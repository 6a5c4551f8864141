// The accelerator for matrix products against ggml's CPU back end, on everything that it says it supports.

#include "core/ggml-ptr.h"
#include "core/rng.h"
#include "cpu/accelerator.h"
#include "harness.h"

#include <ggml-backend.h>

using namespace llamatune;

namespace {

ggml_backend_dev_t accelerator() {
    if (!accelerator_device()) SKIP("no CPU accelerator");
    return accelerator_device();
}

struct product {
    ggml_op op;
    ggml_type type; // of the first source
    int64_t rows, columns, inner;
    int64_t batch = 1, repeat = 1;
    bool transposed = false; // the second source of OUT_PROD is a transposed view
    bool permuted = false;   // the sources are views with strides
};

ggml_tensor * source(ggml_context * ctx, ggml_type type, int64_t ne0, int64_t ne1, int64_t ne2, bool permuted) {
    if (!permuted) return ggml_new_tensor_3d(ctx, type, ne0, ne1, ne2);
    return ggml_permute(ctx, ggml_new_tensor_3d(ctx, type, ne0, ne2, ne1), 0, 2, 1, 3); // heads next to tokens
}

void fill(ggml_tensor * t, rng & random) {
    while (t->view_src) t = t->view_src;
    std::vector<float> values(size_t(ggml_nelements(t)));
    for (float & v : values) v = random.normal();
    if (t->type == GGML_TYPE_F32) {
        ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t));
        return;
    }
    std::vector<char> packed(ggml_nbytes(t));
    std::vector<float> importance(size_t(t->ne[0]), 1.0f);
    ggml_quantize_chunk(t->type, values.data(), packed.data(), 0, ggml_nrows(t), t->ne[0], importance.data());
    ggml_backend_tensor_set(t, packed.data(), 0, packed.size());
}

// ‖on the accelerator - on the CPU‖ / ‖on the CPU‖; the CPU gets dequantized weights, so that both multiply the same
double difference(const product & p, const char * precision) {
    const ggml_context_ptr ctx{ggml_init({64 * ggml_tensor_overhead() + ggml_graph_overhead() * 2, nullptr, true})};
    ggml_tensor * a = source(ctx.get(), p.type, p.op == GGML_OP_MUL_MAT ? p.inner : p.rows,
                             p.op == GGML_OP_MUL_MAT ? p.rows : p.inner, p.batch, p.permuted);
    const int64_t b0 = p.op == GGML_OP_MUL_MAT || p.transposed ? p.inner : p.columns;
    const int64_t b1 = p.op == GGML_OP_MUL_MAT || p.transposed ? p.columns : p.inner;
    ggml_tensor * b = source(ctx.get(), GGML_TYPE_F32, b0, b1, p.batch * p.repeat, p.permuted);
    const auto node = [&](ggml_tensor * left) {
        if (p.op == GGML_OP_MUL_MAT) return ggml_mul_mat(ctx.get(), left, b);
        return ggml_out_prod(ctx.get(), left, p.transposed ? ggml_transpose(ctx.get(), b) : b);
    };
    ggml_tensor * fast = node(a);
    ggml_tensor * wide = ggml_new_tensor_3d(ctx.get(), GGML_TYPE_F32, a->ne[0], a->ne[1], a->ne[2]);
    ggml_tensor * slow = node(p.type == GGML_TYPE_F32 ? a : wide);
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    const ggml_backend_buffer_ptr memory{ggml_backend_alloc_ctx_tensors(ctx.get(), cpu.get())};
    rng random(11);
    fill(a, random);
    fill(b, random);
    if (p.type != GGML_TYPE_F32) {
        ggml_get_type_traits(p.type)->to_float(a->data, static_cast<float *>(wide->data), ggml_nelements(a));
    }
    CHECK(ggml_backend_dev_supports_op(accelerator(), fast));
    const ggml_backend_ptr device{ggml_backend_dev_init(accelerator(), precision)};
    for (const auto & [backend, result] : {std::pair{device.get(), fast}, {cpu.get(), slow}}) {
        ggml_cgraph * graph = ggml_new_graph(ctx.get());
        ggml_build_forward_expand(graph, result);
        CHECK_EQ(int(ggml_backend_graph_compute(backend, graph)), int(GGML_STATUS_SUCCESS));
    }
    double error = 0, norm = 0;
    for (int64_t i = 0; i < ggml_nelements(fast); i++) {
        const double x = static_cast<float *>(fast->data)[i], y = static_cast<float *>(slow->data)[i];
        error += (x - y) * (x - y);
        norm += y * y;
    }
    return std::sqrt(error / norm);
}

}

TEST("cpu/products: products of F32, batched, repeated, strided and transposed") {
    for (const product & p :
         {product{GGML_OP_MUL_MAT, GGML_TYPE_F32, 96, 80, 64},
          product{GGML_OP_MUL_MAT, GGML_TYPE_F32, 100, 33, 200, 4, 2, false, true},
          product{GGML_OP_MUL_MAT, GGML_TYPE_F32, 8, 700, 300}, product{GGML_OP_OUT_PROD, GGML_TYPE_F32, 96, 80, 64},
          product{GGML_OP_OUT_PROD, GGML_TYPE_F32, 96, 80, 64, 2, 3, true},
          product{GGML_OP_OUT_PROD, GGML_TYPE_F32, 64, 130, 90, 4, 1, false, true}}) {
        CHECK(difference(p, "f32") < 1e-5);
    }
}

TEST("cpu/products: weights of every type, in F32 and in bfloat16") {
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const auto type = ggml_type(i);
        const ggml_type_traits * traits = ggml_get_type_traits(type);
        if (type == GGML_TYPE_F32 || !traits->to_float || !traits->from_float_ref || traits->blck_size == 0) continue;
        for (const product & p :
             {product{GGML_OP_MUL_MAT, type, 96, 64, 512}, product{GGML_OP_OUT_PROD, type, 512, 64, 96, 1, 1, true},
              product{GGML_OP_OUT_PROD, type, 512, 64, 96}}) {
            const double wide = difference(p, "f32"), narrow = difference(p, "bf16");
            if (!(wide < 1e-5))
                harness::fail(__FILE__, __LINE__,
                              std::string(traits->type_name) + " in F32, received " + std::to_string(wide));
            if (!(narrow < 1e-2))
                harness::fail(__FILE__, __LINE__,
                              std::string(traits->type_name) + " in bfloat16, received " + std::to_string(narrow));
        }
    }
}

TEST("cpu/products: widths that do not divide evenly among threads, with few and many tokens") {
    for (const int64_t width : {64, 192, 320, 576, 832}) {
        for (const int64_t tokens : {40, 300}) {
            for (const product & p : {product{GGML_OP_MUL_MAT, GGML_TYPE_Q8_0, width, tokens, 256},
                                      product{GGML_OP_OUT_PROD, GGML_TYPE_Q8_0, width, tokens, 256, 1, 1, true}}) {
                CHECK(difference(p, "f32") < 1e-5);
                CHECK(difference(p, "bf16") < 1e-2);
            }
        }
    }
}
