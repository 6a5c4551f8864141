#include "autodiff/rules/families.h"

#include "core/error.h"

#include <cstring>

namespace llamatune::rules {

namespace {

// y = softmax(scale · x + bias):  dx = scale · y (dy - Σ y dy). Attention sinks only add to the denominator, so y then
// sums to less than one and the formula still holds. A sink has the rest of the probability and does not contribute to
// the output:  dsink = -(1 - Σ y) Σ y dy, summed over the rows of its head.
void soft_max(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = node->src[0];
    ggml_tensor * sinks = node->src[2]; // [n_head]
    if (g.wants(node->src[1])) { throw error("UNSUPPORTED_OP", "cannot differentiate SOFT_MAX with a trained mask"); }
    const float scale = parameter(node, 0);
    if (g.wants(sinks)) {
        ggml_tensor * dot = ggml_sum_rows(ctx, ggml_mul(ctx, dy, node)); // [1, n_tokens, n_head, n_stream]
        ggml_tensor * rest = ggml_scale_bias(ctx, ggml_sum_rows(ctx, node), 1.0f, -1.0f);
        ggml_tensor * heads = ggml_mul(ctx, rest, dot);
        g.add(sinks, g.sum_to(heads, ggml_reshape_3d(ctx, sinks, 1, 1, sinks->ne[0])));
    }
    if (!g.wants(x)) { return; }
    // ALiBi's slope only multiplies the mask, so it does not affect x
    if (ggml_tensor * fused = ggml_soft_max_ext_back(ctx, dy, node, scale, 0.0f); g.allows(fused)) {
        g.add(x, fused);
        return;
    }
    ggml_tensor * total = ggml_sum_rows(ctx, ggml_mul(ctx, dy, node));
    ggml_tensor * dx = ggml_mul(ctx, node, ggml_sub(ctx, dy, total));
    g.add(x, scale == 1.0f ? dx : ggml_scale(ctx, dx, scale));
}

// y is x rotated by the position's angles; the transpose is the inverse rotation, with negated positions.
void rope(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * positions = node->src[1];
    ggml_tensor * factors = node->src[2];
    const int mode = node->op_params[2];
    ggml_tensor * dx =
        ggml_rope_ext_back(ctx, dy, positions, factors, 0, mode, 0, 0, 0, 0, 0, 0, 0); // parameters are copied next
    std::memcpy(dx->op_params, node->op_params, sizeof(node->op_params));
    if (!g.allows(dx)) {
        // positions are negated in F32, which is exact below 2^24
        ggml_tensor * negated =
            ggml_cast(ctx, ggml_scale(ctx, ggml_cast(ctx, positions, GGML_TYPE_F32), -1.0f), GGML_TYPE_I32);
        dx = ggml_rope_ext(ctx, dy, negated, factors, 0, mode, 0, 0, 0, 0, 0, 0, 0);
        std::memcpy(dx->op_params, node->op_params, sizeof(node->op_params));
    }
    g.add(node->src[0], dx);
}

// An inverse rotation in the forward graph (DeepSeek V4 takes values from rotated keys and rotates them back).
void rope_back(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * dx =
        ggml_rope_ext(g.ctx(), dy, node->src[1], node->src[2], 0, node->op_params[2], 0, 0, 0, 0, 0, 0, 0);
    std::memcpy(dx->op_params, node->op_params, sizeof(node->op_params));
    g.add(node->src[0], dx);
}

}

rule_rows attention_rules() {
    return {
        // y = softmax(s x + mask): dx = s y (dy - Σ y dy)
        {GGML_OP_SOFT_MAX, soft_max},
        // y = R x, R the rotation by the position's angles: dx = Rᵀ dy
        {GGML_OP_ROPE, rope},
        // y = Rᵀ x: dx = R dy
        {GGML_OP_ROPE_BACK, rope_back},
    };
}

}
