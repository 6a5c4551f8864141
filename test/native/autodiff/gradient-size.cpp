#include "autodiff/engine/gradient-size.h"

#include "autodiff/engine/backward.h"
#include "autodiff/rules/rule-table.h"
#include "core/ggml-ptr.h"
#include "harness.h"

#include <ggml-backend.h>

using namespace llamatune;

namespace {

// What the rule makes for an input of 16 tokens; nothing is computed.
size_t made(ggml_context * ctx, ggml_tensor * node, bool experts_too) {
    gradients g(ctx, ggml_new_graph_custom(ctx, 60000, false), {ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)},
                rule_mode::composed);
    g.want(node->src[1]);
    if (experts_too) g.want(node->src[0]);
    ggml_tensor * dy = ggml_dup_tensor(ctx, node);
    const size_t before = ggml_used_mem(ctx);
    find_rule(node)(g, node, dy);
    return (ggml_used_mem(ctx) - before) / ggml_tensor_overhead();
}

ggml_context_ptr room() {
    return ggml_context_ptr{
        ggml_init({60000 * ggml_tensor_overhead() + ggml_graph_overhead_custom(60000, false), nullptr, true})};
}

}

TEST("autodiff/gradient size: slices of the weights of large models fit the room that is made for them") {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K, GGML_TYPE_IQ2_XXS}) {
        const auto ctx = room(); // an output matrix of 256,000 tokens
        ggml_tensor * w = ggml_new_tensor_2d(ctx.get(), type, 12288, 256000);
        ggml_tensor * node = ggml_mul_mat(ctx.get(), w, ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 12288, 16));
        const size_t tensors = made(ctx.get(), node, false);
        CHECK(tensors > 300);
        CHECK(tensors <= tensors_of_gradient(node));
    }
    for (const bool trained : {false, true}) {
        for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_Q4_K}) {
            if (trained && type != GGML_TYPE_F32) continue;
            const auto ctx = room(); // a layer of 128 experts
            ggml_tensor * w = ggml_new_tensor_3d(ctx.get(), type, 4096, 1536, 128);
            ggml_tensor * node =
                ggml_mul_mat_id(ctx.get(), w, ggml_new_tensor_3d(ctx.get(), GGML_TYPE_F32, 4096, 1, 16),
                                ggml_new_tensor_2d(ctx.get(), GGML_TYPE_I32, 8, 16));
            const size_t tensors = made(ctx.get(), node, trained);
            CHECK(tensors > 100);
            CHECK(tensors <= tensors_of_gradient(node));
        }
    }
}
