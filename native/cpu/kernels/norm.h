#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// y = x / √(mean(x²) + ε) · gain, row by row, followed by RoPE if there are angles.
struct norm_parameters {
    float epsilon;
    int64_t n_rotated = 0; // dimensions
    bool neox = false;
};

// Sources by index; null if a node has no such source.
enum norm_source { norm_x, norm_gain, norm_angles, norm_dy, norm_other };

// node->src: x, gain, angles
void rms_norm(const norm_parameters & p, ggml_tensor * node, executor & exec);

// d(x). node->src: x, gain, angles, dy, and `other`, a gradient of x that is added.
void rms_norm_back(const norm_parameters & p, ggml_tensor * node, executor & exec);

// d(gain) of a gain with one row. node->src: x, null, null, dy.
void rms_norm_gain_back(const norm_parameters & p, ggml_tensor * node, executor & exec);

}
