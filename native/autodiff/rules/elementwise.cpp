#include "autodiff/rules/families.h"

namespace llamatune::rules {

namespace {

void add(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], dy);
    if (g.wants(node->src[1])) { g.add(node->src[1], g.sum_to(dy, node->src[1])); }
}

void sub(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], dy);
    if (g.wants(node->src[1])) { g.add(node->src[1], g.sum_to(ggml_scale(g.ctx(), dy, -1.0f), node->src[1])); }
}

// Metal only reads dense rows.
ggml_tensor * with_dense_rows(gradients & g, ggml_tensor * t) {
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

// The gradient passes between the bounds only.
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

// y = a + b, where b is one number.
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

void neg(gradients & g, ggml_tensor * node, ggml_tensor * dy) { g.add(node->src[0], ggml_scale(g.ctx(), dy, -1.0f)); }

void abs(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], ggml_mul(g.ctx(), dy, ggml_sgn(g.ctx(), g.contiguous(node->src[0]))));
}

void exp(gradients & g, ggml_tensor * node, ggml_tensor * dy) { g.add(node->src[0], ggml_mul(g.ctx(), dy, node)); }

}

rule_rows elementwise_rules() {
    return {
        {GGML_OP_ADD, add},           // y = a + b: da = dy, db = dy
        {GGML_OP_SUB, sub},           // y = a - b: da = dy, db = -dy
        {GGML_OP_MUL, mul},           // y = a b: da = dy b, db = dy a
        {GGML_OP_DIV, div},           // y = a / b: da = dy / b, db = -dy y / b
        {GGML_OP_ADD1, add1},         // y = a + b, b a number: da = dy, db = Σ dy
        {GGML_OP_SCALE, scale},       // y = s x + c: dx = s dy
        {GGML_OP_CLAMP, clamp},       // dx = dy between the bounds, 0 outside of them
        {GGML_OP_SQR, sqr},           // dx = 2 x dy
        {GGML_OP_SQRT, sqrt},         // dx = dy / (2 y)
        {GGML_OP_LOG, log},           // dx = dy / x
        {GGML_OP_SIN, sin},           // dx = dy cos(x)
        {GGML_OP_COS, cos},           // dx = -dy sin(x)
        {GGML_OP_SUM, sum},           // dx = dy
        {GGML_OP_SUM_ROWS, sum_rows}, // dx = dy
        {GGML_OP_MEAN, mean},         // dx = dy / n
        {GGML_UNARY_OP_NEG, neg},     // dx = -dy
        {GGML_UNARY_OP_ABS, abs},     // dx = dy sgn(x)
        {GGML_UNARY_OP_EXP, exp},     // dx = dy y
        {GGML_UNARY_OP_SGN, zero_gradient},
        {GGML_UNARY_OP_STEP, zero_gradient},
        {GGML_UNARY_OP_FLOOR, zero_gradient},
        {GGML_UNARY_OP_CEIL, zero_gradient},
        {GGML_UNARY_OP_ROUND, zero_gradient},
        {GGML_UNARY_OP_TRUNC, zero_gradient},
    };
}

}
