#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <cstdint>

namespace llamatune {

// Rotation by position. The angles are the same for all heads, layers, queries and keys: a node of their own holds
// them.

// Of ggml's ROPE: the parameters of the angles.
struct rope_parameters {
    int32_t n_dims, original_context;
    float base, scale, extrapolation, magnitude, beta_fast, beta_slow;
    bool operator==(const rope_parameters & o) const;
};

rope_parameters rope_parameters_of(const ggml_tensor * node);

// [n_dims, positions]: for each position n_dims / 2 cosines, then as many sines. node->src: positions (I32), frequency
// factors or null.
void rope_angles(const rope_parameters & p, ggml_tensor * node, executor & on);

// How rows of `n` numbers are turned: the first `n_dims` of each, in pairs (i, i + n_dims / 2) with `neox`, else
// (2i, 2i + 1); `back`: by the negative angle.
struct rotation {
    int64_t n, n_dims;
    bool neox, back;
};

// By a row of angles; not in place.
void rotate_row(const rotation & r, const float * x, const float * angles, float * y);

// Rows up to this length may be rotated together with a norm.
constexpr int64_t most_rotated_row = 1024;

// node->src: x [n, heads, tokens], angles.
void rope(const rotation & r, ggml_tensor * node, executor & on);

}
