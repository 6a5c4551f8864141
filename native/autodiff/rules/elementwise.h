#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void add(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void sub(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void mul(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void div(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void scale(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void clamp(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void sqr(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void sqrt(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void log(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void sin(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void cos(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void add1(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void sum(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void sum_rows(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void mean(gradients & g, ggml_tensor * node, ggml_tensor * dy);

void neg(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void abs(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void exp(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void tanh(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void sigmoid(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void softplus(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void relu(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void silu(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void gelu(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void gelu_quick(gradients & g, ggml_tensor * node, ggml_tensor * dy);

void swiglu(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void geglu(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void geglu_quick(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void reglu(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
