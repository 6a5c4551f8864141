#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

namespace llamatune {

// y = x / √(mean(x²) + ε) · gain, row by row, then rotated by position where there are angles.
struct norm_parameters {
    float epsilon;
    int64_t n_rotated = 0; // dimensions
    bool neox = false;
};

// Sources by place; those that there are not are null.
enum norm_source { norm_x, norm_gain, norm_angles, norm_dy, norm_other };

// node->src: x, gain, angles
void rms_norm(const norm_parameters & p, ggml_tensor * node, executor & on);

// d(x). node->src: x, gain, angles, dy, and `other`, a gradient of x that is there already and is added.
void rms_norm_back(const norm_parameters & p, ggml_tensor * node, executor & on);

// d(gain), of a gain that is one row. node->src: x, null, null, dy.
void rms_norm_gain_back(const norm_parameters & p, ggml_tensor * node, executor & on);

}
