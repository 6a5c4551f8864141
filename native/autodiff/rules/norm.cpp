#include "autodiff/rules/families.h"

#include "core/error.h"

namespace llamatune::rules {

namespace {

// y = x r, r = 1/√(mean(x²) + ε):  dx = r (dy - y · mean(dy · y))   (Zhang & Sennrich, 1910.07467)
void rms_norm(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = g.contiguous(node->src[0]);
    const float eps = parameter(node, 0);
    if (ggml_tensor * fused = ggml_rms_norm_back(ctx, dy, x, eps); g.allows(fused)) {
        g.add(node->src[0], fused);
        return;
    }
    ggml_tensor * root =
        ggml_sqrt(ctx, ggml_scale_bias(ctx, ggml_sum_rows(ctx, ggml_sqr(ctx, x)), 1.0f / float(x->ne[0]), eps));
    ggml_tensor * along = g.mean_rows(ggml_mul(ctx, dy, node));
    g.add(node->src[0], ggml_div(ctx, ggml_sub(ctx, dy, ggml_mul(ctx, node, along)), root));
}

// y = (x - mean(x)) r, r = 1/√(var(x) + ε):  dx = r (dy - mean(dy) - y · mean(dy · y))   (Ba et al., 1607.06450)
ggml_tensor * d_norm(gradients & g, ggml_tensor * x, ggml_tensor * y, ggml_tensor * dy, float eps) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * centred = ggml_sub(ctx, x, g.mean_rows(x));
    ggml_tensor * root = ggml_sqrt(ctx, ggml_scale_bias(ctx, g.mean_rows(ggml_sqr(ctx, centred)), 1.0f, eps));
    ggml_tensor * along = g.mean_rows(ggml_mul(ctx, dy, y));
    ggml_tensor * inner = ggml_sub(ctx, ggml_sub(ctx, dy, g.mean_rows(dy)), ggml_mul(ctx, y, along));
    return ggml_div(ctx, inner, root);
}

void norm(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    const float eps = parameter(node, 0);
    g.add(node->src[0], d_norm(g, g.contiguous(node->src[0]), node, dy, eps));
}

// The same over the numbers of each group of channels, [ne0, ne1, channels, batch]. Equal groups are reshaped to rows.
void group_norm(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    const int64_t channels = node->ne[2], groups = node->op_params[0];
    if (channels % groups) {
        throw error("UNSUPPORTED_OP",
                    "cannot differentiate GROUP_NORM with unequal groups: " + std::to_string(channels) +
                        " channels in " + std::to_string(groups) + " groups");
    }
    const float eps = parameter(node, 1);
    const auto rows = [&](ggml_tensor * t) {
        return ggml_reshape_3d(g.ctx(), g.contiguous(t), node->ne[0] * node->ne[1] * channels / groups, groups,
                               node->ne[3]);
    };
    g.add(node->src[0], d_norm(g, rows(node->src[0]), rows(node), rows(dy), eps));
}

// y = x / r, r = max(‖x‖, ε):  dx = (dy - y (y · dy)) / r, without the second term if ‖x‖ < ε
void l2_norm(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    const float eps = parameter(node, 0);
    ggml_tensor * length = ggml_sqrt(ctx, ggml_sum_rows(ctx, ggml_sqr(ctx, g.contiguous(node->src[0]))));
    ggml_tensor * above = ggml_scale_bias(ctx, length, 1.0f, -eps);
    ggml_tensor * r = ggml_scale_bias(ctx, ggml_relu(ctx, above), 1.0f, eps);
    ggml_tensor * along = ggml_mul(ctx, ggml_sum_rows(ctx, ggml_mul(ctx, dy, node)), ggml_step(ctx, above));
    g.add(node->src[0], ggml_div(ctx, ggml_sub(ctx, dy, ggml_mul(ctx, node, along)), r));
}

}

rule_rows norm_rules() {
    return {
        // y = x r, r = 1/√(mean(x²) + ε): dx = r (dy - y mean(dy y))
        {GGML_OP_RMS_NORM, rms_norm},
        // y = (x - mean(x)) r: dx = r (dy - mean(dy) - y mean(dy y))
        {GGML_OP_NORM, norm},
        {GGML_OP_GROUP_NORM, group_norm}, // the same over the numbers of a group
        // y = x / max(‖x‖, ε): dx = (dy - y (y · dy)) / ‖x‖
        {GGML_OP_L2_NORM, l2_norm},
    };
}

}
