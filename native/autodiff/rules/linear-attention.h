#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

// Attention whose memory is a matrix for each head, decaying from token to token.
void gated_linear_attn(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void rwkv_wkv6(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void rwkv_wkv7(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void gated_delta_net(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
