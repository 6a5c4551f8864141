#include "autodiff/rules-norm.h"

#include <cstring>

namespace llamatune::rules {

// y = x r, r = 1/√(mean(x²) + ε):  dx = r (dy - y · mean(dy · y))   (Zhang & Sennrich, 1910.07467)
void rms_norm(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_context * ctx = g.ctx();
    ggml_tensor * x = g.contiguous(node->src[0]);
    float eps;
    std::memcpy(&eps, node->op_params, sizeof(eps));
    if (ggml_tensor * fused = ggml_rms_norm_back(ctx, dy, x, eps); g.allows(fused)) {
        g.add(node->src[0], fused);
        return;
    }
    ggml_tensor * root = ggml_sqrt(ctx, ggml_scale_bias(ctx, ggml_sum_rows(ctx, ggml_sqr(ctx, x)), 1.0f / float(x->ne[0]), eps));
    ggml_tensor * along = g.mean_rows(ggml_mul(ctx, dy, node));
    g.add(node->src[0], ggml_div(ctx, ggml_sub(ctx, dy, ggml_mul(ctx, node, along)), root));
}

// y = (x - mean(x)) r, r = 1/√(var(x) + ε):  dx = r (dy - mean(dy) - y · mean(dy · y))   (Ba et al., 1607.06450)
void norm(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_context * ctx = g.ctx();
    ggml_tensor * x = g.contiguous(node->src[0]);
    float eps;
    std::memcpy(&eps, node->op_params, sizeof(eps));
    ggml_tensor * centred = ggml_sub(ctx, x, g.mean_rows(x));
    ggml_tensor * root = ggml_sqrt(ctx, ggml_scale_bias(ctx, g.mean_rows(ggml_sqr(ctx, centred)), 1.0f, eps));
    ggml_tensor * along = g.mean_rows(ggml_mul(ctx, dy, node));
    ggml_tensor * inner = ggml_sub(ctx, ggml_sub(ctx, dy, g.mean_rows(dy)), ggml_mul(ctx, node, along));
    g.add(node->src[0], ggml_div(ctx, inner, root));
}

}
