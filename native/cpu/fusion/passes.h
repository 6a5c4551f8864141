#pragma once

// The passes of fuse(), in their order.

#include "cpu/fusion/fuse.h"

namespace llamatune {

// Fuses W·x + s·B·(A·x), a frozen linear layer with its LoRA pair, into one node.
void fuse_lora_linears(fusion & f);

// Fuses products with experts, with or without LoRA pairs, into one node: EXPERT_LINEAR.
void fuse_experts(fusion & f);

// Fuses the weighted sum of the results of a token's experts into one node: EXPERT_SUM.
void fuse_expert_sums(fusion & f);

// Fuses q·kᵀ, softmax and the product with v into one node that never stores the matrix of probabilities. Its sources
// are the views of queries, keys and values before the transposing copy of v; its result is the copy that merges the
// heads of a token, if the graph has one. Not fused: scores with a soft cap or a bias, keys that are not F32, masks per
// head.
void fuse_attention(fusion & f);

// SwiGLU, GeGLU (tanh) and ReGLU of two tensors, or of one tensor with both in each row: a kernel for the forward pass,
// and one for both gradients.
void fuse_glu(fusion & f);

// RoPE in its normal and NEOX forms: the angles are computed once for all layers and both passes, and the norm that
// some architectures have before RoPE is part of its node. Must run before fuse_norms().
void fuse_ropes(fusion & f);

// Fuses RMS_NORM with its gain. In the backward pass, the gradient that the norm's input already has from the residual
// stream is added in the same pass.
void fuse_norms(fusion & f);

// Fuses RMS_NORM, with or without a gain, and RoPE (`node`) of queries or keys into one node that reads `angles`.
// Returns false if `node` is not the only reader of such a norm.
bool fuse_norm_with_rotation(fusion & f, ggml_tensor * node, ggml_tensor * angles, int64_t n_rotated, bool neox);

// Scans of state-space models, forward and backward; gated delta nets backward.
void fuse_scans(fusion & f);

// Fuses the causal convolutions of state-space models into one node: transposing tokens to columns, joining them with
// the past, the convolution, its bias and SiLU.
void fuse_convolutions(fusion & f);

inline bool dense_f32(const ggml_tensor * t) { return t->type == GGML_TYPE_F32 && ggml_is_contiguous(t); }

// Adds a node that computes the gradients of a linear layer in one pass. If x is trained, the node is the gradient of
// x: it is `dx` (the gradient so far, which the kernel adds to) or, if that is null, a new tensor.
void add_linear_back(gradients & g, host_ops & ops, const char * name, ggml_tensor * x, ggml_tensor * dx,
                     const std::vector<ggml_tensor *> & sources, const host_kernel & kernel,
                     const host_scratch & scratch);

}
