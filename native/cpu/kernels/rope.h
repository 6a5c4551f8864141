#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <cstdint>

namespace llamatune {

// RoPE. The angles are the same for all heads, layers, queries and keys: one node computes them for all.

// The parameters of ggml's ROPE that the angles depend on.
struct rope_parameters {
    int32_t n_dims, original_context;
    float base, scale, extrapolation, magnitude, beta_fast, beta_slow;
    bool operator==(const rope_parameters & o) const;
};

rope_parameters rope_parameters_of(const ggml_tensor * node);

// [n_dims, positions]: n_dims / 2 cosines per position, then n_dims / 2 sines. node->src: positions (I32), frequency
// factors or null.
void rope_angles(const rope_parameters & p, ggml_tensor * node, executor & exec);

// Rotates the first `n_dims` of `n` numbers in pairs: (i, i + n_dims / 2) with `neox`, otherwise (2i, 2i + 1). `back`:
// by the negative angle, which is the gradient.
struct rotation {
    int64_t n, n_dims;
    bool neox, back;
};

// `angles` is one row of rope_angles(); x and y must not overlap.
void rotate_row(const rotation & r, const float * x, const float * angles, float * y);

// Longest row that rms_norm() can rotate in the same pass.
constexpr int64_t most_rotated_row = 1024;

// node->src: x [n, heads, tokens], angles.
void rope(const rotation & r, ggml_tensor * node, executor & exec);

}
