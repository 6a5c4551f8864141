#include "graph/fold-scale.h"

#include "core/graph-builder.h"
#include "harness.h"

using namespace llamatune;

namespace {

int count(const std::vector<ggml_tensor *> & nodes, ggml_op op) {
    int n = 0;
    for (const ggml_tensor * node : nodes) n += node->op == op ? 1 : 0;
    return n;
}

}

TEST("graph/fold-scale: the scale of a LoRA pair moves between its factors") {
    tensor_arena ctx;
    ggml_tensor * x = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 64, 5);
    ggml_tensor * down = ggml_mul_mat(ctx, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 64, 4), x);  // [4, 5]
    ggml_tensor * up = ggml_mul_mat(ctx, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 4, 32), down); // [32, 5]
    ggml_tensor * scaled = ggml_scale(ctx, up, 2.0f);
    ggml_tensor * base = ggml_mul_mat(ctx, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 64, 32), x);
    ggml_tensor * sum = ggml_add(ctx, base, scaled);
    std::vector<ggml_tensor *> nodes{down, up, scaled, base, sum};
    scale_before_products(ctx, nodes, sum);

    CHECK_EQ(nodes.size(), 5u);
    CHECK(sum->src[1] == up);
    CHECK(up->src[1]->op == GGML_OP_SCALE && up->src[1]->src[0] == down);
    CHECK(nodes[1] == up->src[1] && nodes[2] == up); // in execution order
}

TEST("graph/fold-scale: leaves scales of wider sources, of shared products and of the result") {
    tensor_arena ctx;
    ggml_tensor * wide = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 64, 5);
    ggml_tensor * narrow = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 4, 5);
    ggml_tensor * of_wide = ggml_mul_mat(ctx, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 64, 8), wide);
    ggml_tensor * scaled_wide = ggml_scale(ctx, of_wide, 2.0f);
    ggml_tensor * shared = ggml_mul_mat(ctx, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 4, 8), narrow);
    ggml_tensor * scaled_shared = ggml_scale(ctx, shared, 2.0f);
    ggml_tensor * sum = ggml_add(ctx, ggml_add(ctx, scaled_wide, scaled_shared), shared);
    ggml_tensor * last = ggml_mul_mat(ctx, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 8, 64), sum);
    ggml_tensor * result = ggml_scale(ctx, last, 2.0f);
    std::vector<ggml_tensor *> nodes{of_wide, scaled_wide, shared, scaled_shared, sum->src[0], sum, last, result};
    const std::vector<ggml_tensor *> before = nodes;
    scale_before_products(ctx, nodes, result);
    CHECK(nodes == before);
    CHECK_EQ(count(nodes, GGML_OP_SCALE), 3);
}
