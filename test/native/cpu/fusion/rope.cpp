// Rotations by our own kernels, with and without a norm before them, against ggml's forward and the composed rules.

#include "cpu/fusion/against-composed.h"
#include "harness.h"

using fused::expect_same;
using op_cases::leaves;

namespace {

const std::vector<std::string> alone{"ROPE_ANGLES", "ROPE", "ROPE_BACK"},
    with_norm{"ROPE_ANGLES", "RMS_NORM_ROPE", "RMS_NORM_BACK"};

struct kind {
    int mode, n_dims;
    float scale, extrapolation, magnitude;
    bool factors;
    float base = 10000.0f;
};

const kind kinds[] = {
    {GGML_ROPE_TYPE_NORMAL, 16, 1, 0, 1, false},        {GGML_ROPE_TYPE_NEOX, 16, 1, 0, 1, false},
    {GGML_ROPE_TYPE_NORMAL, 10, 1, 0, 1, false},        {GGML_ROPE_TYPE_NEOX, 6, 1, 0, 1, false},
    {GGML_ROPE_TYPE_NEOX, 16, 0.25f, 0, 1.1f, false},   {GGML_ROPE_TYPE_NORMAL, 16, 0.25f, 1, 0.9f, true},
    {GGML_ROPE_TYPE_NEOX, 12, 0.125f, 1, 1, true, 1e6f}};

ggml_tensor * positions(leaves & l, int64_t n, int64_t apart = 117) {
    std::vector<int32_t> values;
    for (int64_t i = 0; i < n; i++) values.push_back(int32_t(i < 3 ? i : i * apart)); // up to tens of thousands
    return l.indices({n}, values);
}

ggml_tensor * rotated(leaves & l, ggml_tensor * x, ggml_tensor * at, const kind & k, ggml_tensor * factors = nullptr) {
    if (k.factors && !factors) factors = l.constant({k.n_dims / 2}, 0.5f, 4.0f);
    return ggml_rope_ext(l.ctx(), x, at, factors, k.n_dims, k.mode, 64, k.base, k.scale, k.extrapolation, k.magnitude,
                         32.0f, 1.0f);
}

}

TEST("cpu/fusion/rope: both forms, all or some dimensions, with factors and YaRN, distant positions") {
    for (const kind & k : kinds) {
        // YaRN mixes two angles: far away, their last bits depend on how the compiler rounds that
        const int64_t apart = k.extrapolation != 0 ? 2 : 117;
        expect_same(
            "rope", alone,
            [&](leaves & l) { return rotated(l, l.parameter({16, 3, 150}), positions(l, 150, apart), k); }, 2e-6);
    }
}

TEST("cpu/fusion/rope: heads of a fused projection") {
    for (const kind & k : kinds) {
        expect_same(
            "view", alone,
            [&](leaves & l) {
                ggml_tensor * fused = l.parameter({80, 6});
                ggml_tensor * heads =
                    ggml_view_3d(l.ctx(), fused, 16, 3, 6, 16 * sizeof(float), fused->nb[1], 20 * sizeof(float));
                return rotated(l, heads, positions(l, 6), k);
            },
            2e-6);
    }
}

TEST("cpu/fusion/rope: queries and keys of all layers share angles unless their parameters differ") {
    expect_same(
        "shared", {"ROPE_ANGLES", "ROPE", "ROPE", "ROPE_ANGLES", "ROPE", "ROPE_BACK", "ROPE_BACK", "ROPE_BACK"},
        [](leaves & l) {
            ggml_tensor * at = positions(l, 5);
            ggml_tensor * x = l.parameter({16, 3, 5});
            kind other = kinds[0];
            other.base = 500.0f;
            return rotated(l, rotated(l, rotated(l, x, at, kinds[0]), at, kinds[1]), at, other);
        },
        2e-6);
}

TEST("cpu/fusion/rope: together with the norm before it") {
    for (const kind & k : kinds) {
        expect_same(
            "gain", with_norm,
            [&](leaves & l) {
                ggml_tensor * y = ggml_mul(l.ctx(), ggml_rms_norm(l.ctx(), l.parameter({16, 3, 40}), 1e-6f),
                                           l.constant({16}, 0.5f, 2));
                return rotated(l, y, positions(l, 40), k);
            },
            2e-6);
        expect_same(
            "no gain", with_norm,
            [&](leaves & l) {
                return rotated(l, ggml_rms_norm(l.ctx(), l.parameter({16, 3, 40}), 1e-6f), positions(l, 40), k);
            },
            2e-6);
    }
    expect_same(
        "a trained gain", {"RMS_NORM", "ROPE_ANGLES", "ROPE", "ROPE_BACK", "RMS_NORM_BACK", "RMS_NORM_GAIN_BACK"},
        [](leaves & l) {
            ggml_tensor * y =
                ggml_mul(l.ctx(), ggml_rms_norm(l.ctx(), l.parameter({16, 3, 40}), 1e-6f), l.parameter({16}));
            return rotated(l, y, positions(l, 40), kinds[1]);
        },
        2e-6);
}

TEST("cpu/fusion/rope: positions of several kinds, or a start at a later dimension, are not fused") {
    const auto none = std::vector<std::string>{};
    expect_same("sections", none, [](leaves & l) {
        int sections[4] = {2, 1, 1, 0};
        return ggml_rope_multi(l.ctx(), l.parameter({8, 2, 3}), l.indices({12}, {0, 1, 7, 2, 0, 5, 1, 3, 3, 0, 0, 0}),
                               nullptr, 8, sections, GGML_ROPE_TYPE_MROPE, 32, 10000, 1, 0, 1, 32, 1);
    });
    expect_same("offset", none, [](leaves & l) {
        const kind k{GGML_ROPE_TYPE_NEOX, 8, 1, 0, 1, false};
        return ggml_rope_set_offset(rotated(l, l.parameter({16, 2, 3}), positions(l, 3), k), 4);
    });
}
