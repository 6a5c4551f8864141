#include "autodiff/rules/elementwise.h"

#include "autodiff/rules/activations.h"

#include <cstring>

namespace llamatune::rules {

void add(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], dy);
    if (g.wants(node->src[1])) { g.add(node->src[1], g.sum_to(dy, node->src[1])); }
}

void sub(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], dy);
    if (g.wants(node->src[1])) { g.add(node->src[1], g.sum_to(ggml_scale(g.ctx(), dy, -1.0f), node->src[1])); }
}

// Metal reads dense rows only.
static ggml_tensor * with_dense_rows(gradients & g, ggml_tensor * t) {
    return ggml_is_contiguous_rows(t) ? t : g.contiguous(t);
}

void mul(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * a = node->src[0];
    ggml_tensor * b = node->src[1]; // repeated to a's shape
    if (g.wants(a)) { g.add(a, ggml_mul(g.ctx(), dy, with_dense_rows(g, b))); }
    if (g.wants(b)) { g.add(b, g.sum_to(ggml_mul(g.ctx(), dy, g.contiguous(a)), b)); }
}

void div(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * b = node->src[1];
    ggml_tensor * da = ggml_div(g.ctx(), dy, with_dense_rows(g, b));
    g.add(node->src[0], da);
    if (g.wants(b)) {
        g.add(b, g.sum_to(ggml_scale(g.ctx(), ggml_mul(g.ctx(), da, node), -1.0f), b)); // d(a/b)/db = -(a/b)/b
    }
}

void scale(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_scale(g.ctx(), dy, parameter(node, 0))); // the added constant has no gradient
}

// passes between the bounds, stops outside of them
void clamp(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = g.contiguous(node->src[0]);
    ggml_tensor * above = ggml_step(ctx, ggml_scale_bias(ctx, x, 1.0f, -parameter(node, 0)));
    ggml_tensor * below = ggml_step(ctx, ggml_scale_bias(ctx, x, -1.0f, parameter(node, 1)));
    g.add(node->src[0], ggml_mul(ctx, dy, ggml_mul(ctx, above, below)));
}

void sqr(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_scale(g.ctx(), ggml_mul(g.ctx(), dy, g.contiguous(node->src[0])), 2.0f));
}

void sqrt(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_scale(g.ctx(), ggml_div(g.ctx(), dy, node), 0.5f));
}

void log(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_div(g.ctx(), dy, g.contiguous(node->src[0])));
}

void sin(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_cos(g.ctx(), g.contiguous(node->src[0]))));
}

void cos(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * slope = ggml_scale(g.ctx(), ggml_sin(g.ctx(), g.contiguous(node->src[0])), -1.0f);
    g.add(node->src[0], ggml_mul(g.ctx(), dy, slope));
}

// a number added to everything
void add1(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], dy);
    if (g.wants(node->src[1])) { g.add(node->src[1], ggml_sum(g.ctx(), dy)); }
}

void sum(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_repeat(g.ctx(), dy, node->src[0]));
}

void sum_rows(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_repeat(g.ctx(), dy, node->src[0]));
}

void mean(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * x = node->src[0];
    g.add(x, ggml_repeat(g.ctx(), ggml_scale(g.ctx(), dy, 1.0f / float(x->ne[0])), x));
}

// ---- activations: dy * act'(x); `y` = act(x) where the forward has it

namespace {

using activation = ggml_tensor * (*)(gradients & g, ggml_tensor * x, ggml_tensor * dy);

// d silu(x) = s + x s (1 - s), s = sigmoid(x)
ggml_tensor * d_silu(gradients & g, ggml_tensor * x, ggml_tensor * dy) {
    if (ggml_tensor * fused = ggml_silu_back(g.ctx(), dy, x); g.allows(fused)) { return fused; }
    ggml_tensor * s = ggml_sigmoid(g.ctx(), x);
    ggml_tensor * slope = ggml_add(g.ctx(), s, ggml_mul(g.ctx(), ggml_mul(g.ctx(), x, s), g.one_minus(s)));
    return ggml_mul(g.ctx(), dy, slope);
}

// d gelu(x), tanh form: (1 + t)/2 + x (1 - t²)/2 · √(2/π)(1 + 3·0.044715 x²), t = tanh(√(2/π)(x + 0.044715 x³))
ggml_tensor * d_gelu(gradients & g, ggml_tensor * x, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    constexpr float c = 0.79788456080286535588f, k = 0.044715f;
    ggml_tensor * x2 = ggml_sqr(ctx, x);
    ggml_tensor * t = ggml_tanh(ctx, ggml_mul(ctx, x, ggml_scale_bias(ctx, x2, c * k, c)));
    ggml_tensor * inner = ggml_scale_bias(ctx, x2, 3.0f * c * k, c);
    ggml_tensor * right = ggml_mul(ctx, ggml_mul(ctx, x, g.one_minus(ggml_sqr(ctx, t))), inner);
    return ggml_mul(ctx, dy, ggml_scale(ctx, ggml_add(ctx, ggml_scale_bias(ctx, t, 1.0f, 1.0f), right), 0.5f));
}

// gelu_quick(x) = x sigmoid(1.702 x)
ggml_tensor * d_gelu_quick(gradients & g, ggml_tensor * x, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * s = ggml_sigmoid(ctx, ggml_scale(ctx, x, 1.702f));
    ggml_tensor * right = ggml_mul(ctx, ggml_scale(ctx, ggml_mul(ctx, x, s), 1.702f), g.one_minus(s));
    return ggml_mul(ctx, dy, ggml_add(ctx, s, right));
}

ggml_tensor * d_relu(gradients & g, ggml_tensor * x, ggml_tensor * dy) {
    return ggml_mul(g.ctx(), dy, ggml_step(g.ctx(), x));
}

ggml_tensor * act_silu(gradients & g, ggml_tensor * x) { return ggml_silu(g.ctx(), x); }
ggml_tensor * act_gelu(gradients & g, ggml_tensor * x) { return ggml_gelu(g.ctx(), x); }
ggml_tensor * act_gelu_quick(gradients & g, ggml_tensor * x) { return ggml_gelu_quick(g.ctx(), x); }
ggml_tensor * act_relu(gradients & g, ggml_tensor * x) { return ggml_relu(g.ctx(), x); }

// y = act(x) · gate
void gated(gradients & g, ggml_tensor * node, ggml_tensor * dy, ggml_tensor * (*act)(gradients &, ggml_tensor *),
           activation d_act) {
    const gated_sources s = sources_of_gated(g, node);
    ggml_tensor * dx = wants_of_gated(g, node, 0) ? d_act(g, s.x, ggml_mul(g.ctx(), dy, s.gate)) : nullptr;
    ggml_tensor * dgate = wants_of_gated(g, node, 1) ? ggml_mul(g.ctx(), dy, act(g, s.x)) : nullptr;
    add_to_gated(g, node, dx, dgate);
}

}

void neg(gradients & g, ggml_tensor * node, ggml_tensor * dy) { g.add(node->src[0], ggml_scale(g.ctx(), dy, -1.0f)); }

void abs(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_sgn(g.ctx(), g.contiguous(node->src[0]))));
}

void exp(gradients & g, ggml_tensor * node, ggml_tensor * dy) { g.add(node->src[0], ggml_mul(g.ctx(), dy, node)); }

void tanh(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_mul(g.ctx(), dy, g.one_minus(ggml_sqr(g.ctx(), node))));
}

void sigmoid(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_mul(g.ctx(), node, g.one_minus(node))));
}

void softplus(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_sigmoid(g.ctx(), g.contiguous(node->src[0]))));
}

void relu(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], d_relu(g, g.contiguous(node->src[0]), dy));
}
void silu(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], d_silu(g, g.contiguous(node->src[0]), dy));
}
void gelu(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], d_gelu(g, g.contiguous(node->src[0]), dy));
}
void gelu_quick(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], d_gelu_quick(g, g.contiguous(node->src[0]), dy));
}

void swiglu(gradients & g, ggml_tensor * node, ggml_tensor * dy) { gated(g, node, dy, act_silu, d_silu); }
void geglu(gradients & g, ggml_tensor * node, ggml_tensor * dy) { gated(g, node, dy, act_gelu, d_gelu); }
void geglu_quick(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    gated(g, node, dy, act_gelu_quick, d_gelu_quick);
}
void reglu(gradients & g, ggml_tensor * node, ggml_tensor * dy) { gated(g, node, dy, act_relu, d_relu); }

}
