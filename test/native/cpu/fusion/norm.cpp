// RMS_NORM and its gain by our own kernels, against ggml's forward and the composed rules.

#include "cpu/fusion/against-composed.h"
#include "harness.h"

using fused::expect_same;
using op_cases::leaves;

namespace {

const std::vector<std::string> both{"RMS_NORM", "RMS_NORM_BACK"};

ggml_tensor * normed(leaves & l, ggml_tensor * x, float epsilon = 1e-5f) { return ggml_rms_norm(l.ctx(), x, epsilon); }

}

TEST("cpu/fusion/norm: with a frozen gain, lengths that are not multiples of a vector") {
    for (const int64_t n : {1, 7, 16, 33, 1024}) {
        expect_same("gain", both, [=](leaves & l) {
            return ggml_mul(l.ctx(), normed(l, l.parameter({n, 5}), 1e-2f), l.constant({n}, 0.5f, 2));
        });
        expect_same("none", both, [=](leaves & l) { return normed(l, l.parameter({n, 5}), 1e-2f); });
    }
}

TEST("cpu/fusion/norm: a large epsilon, values far from one, many work items") {
    expect_same("epsilon", both,
                [](leaves & l) { return ggml_mul(l.ctx(), normed(l, l.parameter({24, 5}), 0.5f), l.constant({24})); });
    expect_same("large", both, [](leaves & l) {
        return ggml_mul(l.ctx(), normed(l, l.parameter({24, 5}, -3e4f, 5e4f)), l.constant({24}));
    });
    expect_same("many", both,
                [](leaves & l) { return ggml_mul(l.ctx(), normed(l, l.parameter({300, 900})), l.constant({300})); });
}

TEST("cpu/fusion/norm: heads of a fused projection, with one gain for all heads or one per head") {
    for (const int64_t gains : {1, 4}) {
        expect_same("heads", both, [=](leaves & l) {
            ggml_tensor * fused = l.parameter({80, 6});
            ggml_tensor * heads =
                ggml_view_3d(l.ctx(), fused, 13, 4, 6, 13 * sizeof(float), fused->nb[1], 7 * sizeof(float));
            return ggml_mul(l.ctx(), normed(l, heads), l.constant({13, gains}));
        });
    }
    expect_same("4 dimensions", both,
                [](leaves & l) { return ggml_mul(l.ctx(), normed(l, l.parameter({9, 3, 2, 4})), l.constant({9})); });
}

TEST("cpu/fusion/norm: a trained gain gets its gradient, the same every time") {
    const std::vector<std::string> with_gain{"RMS_NORM", "RMS_NORM_BACK", "RMS_NORM_GAIN_BACK"};
    for (const int64_t rows : {1, 5, 200}) {
        expect_same("trained", with_gain, [=](leaves & l) {
            return ggml_mul(l.ctx(), normed(l, l.parameter({37, rows, 2})), l.parameter({37}));
        });
    }
    expect_same("the gain alone", {"RMS_NORM", "RMS_NORM_GAIN_BACK"},
                [](leaves & l) { return ggml_mul(l.ctx(), normed(l, l.constant({37, 50})), l.parameter({37})); });
}

TEST("cpu/fusion/norm: a trained gain of several rows, or a computed one, uses the rules of the table") {
    expect_same("rows", both,
                [](leaves & l) { return ggml_mul(l.ctx(), normed(l, l.parameter({8, 3, 5})), l.parameter({8, 3})); });
    expect_same("computed", both, [](leaves & l) {
        ggml_tensor * x = l.parameter({8, 3});
        return ggml_mul(l.ctx(), normed(l, x), ggml_sqr(l.ctx(), l.parameter({8, 3})));
    });
    expect_same("a view of a trained one", both, [](leaves & l) {
        return ggml_mul(l.ctx(), normed(l, l.parameter({8, 3})),
                        ggml_view_1d(l.ctx(), l.parameter({16}), 8, 8 * sizeof(float)));
    });
}

TEST("cpu/fusion/norm: a norm with another reader is not fused with its gain") {
    expect_same("two readers", both, [](leaves & l) {
        ggml_tensor * y = normed(l, l.parameter({21, 4}));
        return ggml_add(l.ctx(), ggml_mul(l.ctx(), y, l.constant({21})), y);
    });
}

TEST("cpu/fusion/norm: the residual stream's gradient is added in the same pass") {
    expect_same("residual", {"RMS_NORM", "RMS_NORM", "RMS_NORM_BACK", "RMS_NORM_BACK"}, [](leaves & l) {
        ggml_tensor * x = l.parameter({40, 6});
        for (int layer = 0; layer < 2; layer++) {
            ggml_tensor * y = ggml_mul(l.ctx(), normed(l, x), l.constant({40}, 0.5f, 2));
            x = ggml_add(l.ctx(), ggml_mul_mat(l.ctx(), l.constant({40, 40}), y), x);
        }
        return x;
    });
    // a gradient that came as a transposed view, and readers before and after the norm
    expect_same("strided", both, [](leaves & l) {
        ggml_tensor * x = ggml_scale(l.ctx(), l.parameter({12, 12}), 1.5f);
        ggml_tensor * early = ggml_sqr(l.ctx(), x);
        ggml_tensor * y = ggml_mul(l.ctx(), normed(l, x), l.constant({12}));
        ggml_tensor * turned = ggml_cont(l.ctx(), ggml_transpose(l.ctx(), x));
        return ggml_add(l.ctx(), ggml_mul(l.ctx(), y, turned), early);
    });
}
