// Gated activations by our own kernels, against ggml's forward and the composed rules.

#include "cpu/fusion/against-composed.h"
#include "harness.h"

using fused::expect_same;
using op_cases::leaves;

namespace {

const std::vector<std::string> swiglu{"SWIGLU", "SWIGLU_BACK"}, geglu{"GEGLU", "GEGLU_BACK"},
    reglu{"REGLU", "REGLU_BACK"};

}

TEST("cpu/fusion/glu: two tensors, lengths that are not multiples of a vector") {
    for (const int64_t n : {1, 7, 16, 33, 3072}) {
        expect_same("swiglu", swiglu, [=](leaves & l) {
            return ggml_swiglu_split(l.ctx(), l.parameter({n, 5}, -6, 6), l.parameter({n, 5}));
        });
        expect_same("geglu", geglu, [=](leaves & l) {
            return ggml_geglu_split(l.ctx(), l.parameter({n, 5}, -6, 6), l.parameter({n, 5}));
        });
        expect_same("reglu", reglu, [=](leaves & l) {
            return ggml_reglu_split(l.ctx(), l.signed_parameter({n, 5}, 0.1f, 3), l.parameter({n, 5}, 0.5f, 1));
        });
    }
}

TEST("cpu/fusion/glu: one tensor with both halves, in either order, with 4 dimensions") {
    for (const bool swapped : {false, true}) {
        expect_same("swiglu", swiglu, [=](leaves & l) {
            ggml_tensor * both = l.parameter({26, 3, 2, 2}, -4, 4);
            return swapped ? ggml_swiglu_swapped(l.ctx(), both) : ggml_swiglu(l.ctx(), both);
        });
        expect_same("geglu", geglu, [=](leaves & l) {
            ggml_tensor * both = l.parameter({26, 3, 2, 2}, -4, 4);
            return swapped ? ggml_geglu_swapped(l.ctx(), both) : ggml_geglu(l.ctx(), both);
        });
        expect_same("reglu", reglu, [=](leaves & l) {
            ggml_tensor * both = l.signed_parameter({26, 3}, 0.1f, 2);
            return swapped ? ggml_reglu_swapped(l.ctx(), both) : ggml_reglu(l.ctx(), both);
        });
    }
}

TEST("cpu/fusion/glu: views with strided rows, and sources that are equal or frozen") {
    expect_same("views", swiglu, [](leaves & l) {
        ggml_tensor * wide = l.parameter({40, 6}, -3, 3); // x and gate side by side, as two views
        return ggml_swiglu_split(l.ctx(), ggml_view_2d(l.ctx(), wide, 19, 6, wide->nb[1], 0),
                                 ggml_view_2d(l.ctx(), wide, 19, 6, wide->nb[1], 20 * sizeof(float)));
    });
    expect_same("itself", swiglu, [](leaves & l) {
        ggml_tensor * x = l.parameter({19, 6}, -3, 3);
        return ggml_swiglu_split(l.ctx(), x, x);
    });
    expect_same("a frozen gate", swiglu,
                [](leaves & l) { return ggml_swiglu_split(l.ctx(), l.parameter({19, 6}), l.constant({19, 6})); });
    expect_same("a frozen x", swiglu,
                [](leaves & l) { return ggml_swiglu_split(l.ctx(), l.constant({19, 6}), l.parameter({19, 6})); });
}

TEST("cpu/fusion/glu: many work items, and values far from zero") {
    expect_same("many", swiglu, [](leaves & l) {
        return ggml_swiglu_split(l.ctx(), l.parameter({500, 700}, -4, 4), l.parameter({500, 700}));
    });
    expect_same("far", swiglu, [](leaves & l) {
        return ggml_swiglu_split(l.ctx(), l.parameter({64, 3}, -120, 120), l.parameter({64, 3}));
    });
    expect_same("far", geglu, [](leaves & l) {
        return ggml_geglu_split(l.ctx(), l.parameter({64, 3}, -120, 120), l.parameter({64, 3}));
    });
}
