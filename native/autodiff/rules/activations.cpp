#include "autodiff/rules/families.h"

#include <cmath>

namespace llamatune::rules {

namespace {

bool is_swapped(const ggml_tensor * node) { return node->op_params[1] != 0; }

// is_below: 1 below `bound`, else 0. is_above and is_between are alike.
ggml_tensor * is_below(gradients & g, ggml_tensor * x, float bound) {
    return ggml_step(g.ctx(), ggml_scale_bias(g.ctx(), x, -1.0f, bound));
}
ggml_tensor * is_above(gradients & g, ggml_tensor * x, float bound) {
    return ggml_step(g.ctx(), ggml_scale_bias(g.ctx(), x, 1.0f, -bound));
}
ggml_tensor * is_between(gradients & g, ggml_tensor * x, float low, float high) {
    return ggml_mul(g.ctx(), is_above(g, x, low), is_below(g, x, high));
}

// min(x, 0)
ggml_tensor * negative_part(gradients & g, ggml_tensor * x) {
    return ggml_neg(g.ctx(), ggml_relu(g.ctx(), ggml_neg(g.ctx(), x)));
}

// ggml_clamp works in place, and a tensor of the forward pass must not change.
ggml_tensor * clamped(gradients & g, ggml_tensor * x, float low, float high) {
    return ggml_clamp(g.ctx(), ggml_cont(g.ctx(), x), low, high);
}

// d x Φ(x) = Φ(x) + x φ(x). ggml has no op for Φ, so Φ(|x|) is gelu_erf(|x|) / |x|, with |x| at least 1e-6, and
// Φ(-x) = 1 - Φ(x).
ggml_tensor * d_gelu_erf(gradients & g, ggml_tensor * x, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    const float density = 0.39894228040143267794f; // 1/√(2π)
    ggml_tensor * size = ggml_clamp(ctx, ggml_abs(ctx, x), 1e-6f, INFINITY);
    ggml_tensor * half = ggml_scale_bias(ctx, ggml_div(ctx, ggml_gelu_erf(ctx, size), size), 1.0f, -0.5f);
    ggml_tensor * bell = ggml_exp(ctx, ggml_scale(ctx, ggml_sqr(ctx, x), -0.5f));
    ggml_tensor * slope =
        ggml_add(ctx, ggml_mul(ctx, half, ggml_sgn(ctx, x)), ggml_scale(ctx, ggml_mul(ctx, x, bell), density));
    return ggml_mul(ctx, dy, ggml_scale_bias(ctx, slope, 1.0f, 0.5f));
}

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

// The slope is 1 above zero and eˣ below.
void elu(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * x = g.contiguous(node->src[0]);
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_exp(g.ctx(), negative_part(g, x))));
}

void gelu_erf(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], d_gelu_erf(g, g.contiguous(node->src[0]), dy));
}

// αₚx² + βx above zero, αₙ(eˣ - 1 - x) + βx below (Huang & Schlag, 2411.13010; ggml keeps αₙ with β added to it)
void xielu(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = g.contiguous(node->src[0]);
    const float alpha_n = parameter(node, 1), alpha_p = parameter(node, 2), beta = parameter(node, 3);
    ggml_tensor * above = ggml_scale(ctx, ggml_relu(ctx, x), 2.0f * alpha_p);
    ggml_tensor * below = ggml_scale_bias(ctx, ggml_exp(ctx, negative_part(g, x)), alpha_n, beta - alpha_n);
    g.add(node->src[0], ggml_mul(ctx, dy, ggml_add(ctx, above, below)));
}

// x · h(x), h the hard sigmoid
void hardswish(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * x = g.contiguous(node->src[0]);
    ggml_tensor * ramp = ggml_mul(ctx, ggml_scale(ctx, x, 1.0f / 6.0f), is_between(g, x, -3.0f, 3.0f));
    g.add(node->src[0], ggml_mul(ctx, dy, ggml_add(ctx, ggml_hardsigmoid(ctx, x), ramp)));
}

void hardsigmoid(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * inside = is_between(g, g.contiguous(node->src[0]), -3.0f, 3.0f);
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_scale(g.ctx(), inside, 1.0f / 6.0f)));
}

void expm1(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_scale_bias(g.ctx(), node, 1.0f, 1.0f)));
}

// ---- gated units

// The two factors of a gated unit act(x) · gate: two sources, or the halves of one, [x | gate], or [gate | x] if
// swapped.
struct gated_sources {
    ggml_tensor * x;
    ggml_tensor * gate;
};

gated_sources sources_of_gated(gradients & g, ggml_tensor * node) {
    ggml_tensor * both = node->src[0];
    if (node->src[1]) { return {g.contiguous(both), g.contiguous(node->src[1])}; }
    const auto half = [&](int i) {
        return ggml_cont(g.ctx(),
                         ggml_view_4d(g.ctx(), both, node->ne[0], both->ne[1], both->ne[2], both->ne[3], both->nb[1],
                                      both->nb[2], both->nb[3], size_t(i * node->ne[0]) * both->nb[0]));
    };
    const int first = is_swapped(node) ? 1 : 0;
    return {half(first), half(1 - first)};
}

// Is the gradient of x (which = 0) or of the gate (which = 1) wanted?
bool wants_of_gated(gradients & g, const ggml_tensor * node, int which) {
    return g.wants(node->src[1] ? node->src[which] : node->src[0]);
}

// Adds the gradients of both factors; one that is not wanted is null.
void add_to_gated(gradients & g, ggml_tensor * node, ggml_tensor * dx, ggml_tensor * dgate) {
    if (!node->src[1]) {
        g.add(node->src[0], is_swapped(node) ? ggml_concat(g.ctx(), dgate, dx, 0) : ggml_concat(g.ctx(), dx, dgate, 0));
        return;
    }
    if (dx) g.add(node->src[0], dx);
    if (dgate) g.add(node->src[1], dgate);
}

// y = act(x) · gate
void gated(gradients & g, ggml_tensor * node, ggml_tensor * dy, ggml_tensor * (*act)(gradients &, ggml_tensor *),
           activation d_act) {
    const gated_sources s = sources_of_gated(g, node);
    ggml_tensor * dx = wants_of_gated(g, node, 0) ? d_act(g, s.x, ggml_mul(g.ctx(), dy, s.gate)) : nullptr;
    ggml_tensor * dgate = wants_of_gated(g, node, 1) ? ggml_mul(g.ctx(), dy, act(g, s.x)) : nullptr;
    add_to_gated(g, node, dx, dgate);
}

// act(min(x, limit)) · (clamp(gate, -limit, limit) + shift), act(x) = x σ(alpha x)
void limited_swiglu(gradients & g, ggml_tensor * node, ggml_tensor * dy, float alpha, float limit, float shift) {
    tensor_arena & ctx = g.ctx();
    const gated_sources s = sources_of_gated(g, node);
    ggml_tensor * x = clamped(g, s.x, -INFINITY, limit);
    ggml_tensor * sigmoid = ggml_sigmoid(ctx, ggml_scale(ctx, x, alpha));
    ggml_tensor * act = ggml_mul(ctx, x, sigmoid);
    ggml_tensor *dx = nullptr, *dgate = nullptr;
    if (wants_of_gated(g, node, 0)) {
        ggml_tensor * gate = ggml_scale_bias(ctx, clamped(g, s.gate, -limit, limit), 1.0f, shift);
        // σ + alpha x σ (1 - σ)
        ggml_tensor * slope = ggml_add(ctx, sigmoid, ggml_mul(ctx, ggml_scale(ctx, act, alpha), g.one_minus(sigmoid)));
        dx = ggml_mul(ctx, ggml_mul(ctx, dy, gate), ggml_mul(ctx, slope, is_below(g, s.x, limit)));
    }
    if (wants_of_gated(g, node, 1)) {
        dgate = ggml_mul(ctx, ggml_mul(ctx, dy, act), is_between(g, s.gate, -limit, limit));
    }
    add_to_gated(g, node, dx, dgate);
}

void swiglu(gradients & g, ggml_tensor * node, ggml_tensor * dy) { gated(g, node, dy, act_silu, d_silu); }
void geglu(gradients & g, ggml_tensor * node, ggml_tensor * dy) { gated(g, node, dy, act_gelu, d_gelu); }
void geglu_quick(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    gated(g, node, dy, act_gelu_quick, d_gelu_quick);
}
void reglu(gradients & g, ggml_tensor * node, ggml_tensor * dy) { gated(g, node, dy, act_relu, d_relu); }

void geglu_erf(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    const gated_sources s = sources_of_gated(g, node);
    ggml_tensor * dx = wants_of_gated(g, node, 0) ? d_gelu_erf(g, s.x, ggml_mul(g.ctx(), dy, s.gate)) : nullptr;
    ggml_tensor * dgate = wants_of_gated(g, node, 1) ? ggml_mul(g.ctx(), dy, ggml_gelu_erf(g.ctx(), s.x)) : nullptr;
    add_to_gated(g, node, dx, dgate);
}

void swiglu_oai(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    limited_swiglu(g, node, dy, parameter(node, 2), parameter(node, 3), 1.0f);
}

void swiglu_clamp(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    limited_swiglu(g, node, dy, 1.0f, parameter(node, 3), 0.0f);
}

}

// s is the logistic function.
rule_rows activation_rules() {
    return {
        {GGML_UNARY_OP_TANH, tanh},               // dx = dy (1 - y²)
        {GGML_UNARY_OP_SIGMOID, sigmoid},         // dx = dy y (1 - y)
        {GGML_UNARY_OP_SOFTPLUS, softplus},       // dx = dy s(x)
        {GGML_UNARY_OP_RELU, relu},               // dx = dy where x > 0
        {GGML_UNARY_OP_SILU, silu},               // y = x s(x): dx = dy (s + x s (1 - s))
        {GGML_UNARY_OP_GELU, gelu},               // tanh form: see d_gelu
        {GGML_UNARY_OP_GELU_QUICK, gelu_quick},   // y = x s(1.702 x)
        {GGML_UNARY_OP_GELU_ERF, gelu_erf},       // y = x Φ(x): dx = dy (Φ(x) + x φ(x))
        {GGML_UNARY_OP_ELU, elu},                 // dx = dy above zero, dy eˣ below
        {GGML_UNARY_OP_XIELU, xielu},             // see xielu
        {GGML_UNARY_OP_HARDSWISH, hardswish},     // y = x h(x), h = clamp(x / 6 + 1/2, 0, 1)
        {GGML_UNARY_OP_HARDSIGMOID, hardsigmoid}, // y = h(x): dx = dy / 6 between -3 and 3
        {GGML_UNARY_OP_EXPM1, expm1},             // dx = dy (y + 1)
        // y = act(x) gate: dx = dy gate act'(x), dgate = dy act(x)
        {GGML_GLU_OP_SWIGLU, swiglu},
        {GGML_GLU_OP_GEGLU, geglu},
        {GGML_GLU_OP_GEGLU_QUICK, geglu_quick},
        {GGML_GLU_OP_GEGLU_ERF, geglu_erf},
        {GGML_GLU_OP_REGLU, reglu},
        {GGML_GLU_OP_SWIGLU_OAI, swiglu_oai},     // both factors limited, the gate shifted by one
        {GGML_GLU_OP_SWIGLU_CLAMP, swiglu_clamp}, // both factors limited
    };
}

}
