// Causal convolutions by our own kernels, against ggml's forward and the composed rules.

#include "cpu/fusion/against-composed.h"
#include "harness.h"

using fused::expect_same;
using op_cases::leaves;

namespace {

const std::vector<std::string> ours{"CONVOLUTION", "CONVOLUTION_BACK"};

struct shape {
    int64_t d_conv, d_inner, n_t, n_seqs;
};

// x: [d_inner, n_t, n_seqs], any strides
ggml_tensor * convolution(leaves & l, ggml_tensor * x, int64_t d_conv, bool bias, bool silu, bool trained = false) {
    ggml_tensor * past = l.constant({d_conv - 1, x->ne[0], x->ne[2]});
    ggml_tensor * w = trained ? l.parameter({d_conv, x->ne[0]}) : l.constant({d_conv, x->ne[0]});
    ggml_tensor * y = ggml_ssm_conv(l.ctx(), ggml_concat(l.ctx(), past, ggml_transpose(l.ctx(), x), 0), w);
    if (bias) y = ggml_add(l.ctx(), y, l.constant({x->ne[0]}));
    return silu ? ggml_silu(l.ctx(), y) : y;
}

}

TEST("cpu/fusion/convolution: with and without a bias and SiLU, sizes that are not multiples of a block") {
    for (const shape & s :
         {shape{4, 1030, 70, 2}, shape{4, 5, 3, 1}, shape{3, 17, 33, 2}, shape{4, 64, 1, 3}, shape{2, 9, 64, 1}}) {
        for (const bool bias : {false, true}) {
            for (const bool silu : {false, true}) {
                expect_same("a convolution", ours, [=](leaves & l) {
                    return convolution(l, l.parameter({s.d_inner, s.n_t, s.n_seqs}, -2, 2), s.d_conv, bias, silu);
                });
            }
        }
    }
}

TEST("cpu/fusion/convolution: a part of the rows of a projection, also with other readers") {
    expect_same("a view", ours, [](leaves & l) {
        ggml_tensor * all = l.parameter({40, 20, 2}, -2, 2);
        ggml_tensor * x = ggml_view_3d(l.ctx(), all, 24, 20, 2, all->nb[1], all->nb[2], 8 * sizeof(float));
        ggml_tensor * y = convolution(l, x, 4, true, true);
        ggml_tensor * z = ggml_view_3d(l.ctx(), all, 24, 20, 2, all->nb[1], all->nb[2], 16 * sizeof(float));
        return ggml_mul(l.ctx(), y, z);
    });
    expect_same("before SiLU", ours, [](leaves & l) { // its sum is read twice: SiLU is another node
        ggml_tensor * y = convolution(l, l.parameter({24, 20, 2}), 4, true, false);
        return ggml_mul(l.ctx(), ggml_silu(l.ctx(), y), y);
    });
}

TEST("cpu/fusion/convolution: a trained kernel is not fused") {
    expect_same("trained", {},
                [](leaves & l) { return convolution(l, l.parameter({24, 20, 2}), 4, true, true, true); });
}
