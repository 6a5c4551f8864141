#include "autodiff/op-cases.h"

#include <cmath>

namespace op_cases {

namespace {

// A causal mask [n_kv, n_tokens] as in llama.cpp: token i attends to the keys up to itself.
std::vector<float> causal(int64_t n_kv, int64_t n_tokens) {
    std::vector<float> values;
    for (int64_t i = 0; i < n_tokens; i++) {
        for (int64_t j = 0; j < n_kv; j++) values.push_back(j <= i + n_kv - n_tokens ? 0.0f : -INFINITY);
    }
    return values;
}

struct rotation {
    int n_dims = 8;
    int mode = GGML_ROPE_TYPE_NORMAL;
    float freq_scale = 1.0f, ext_factor = 0.0f, attn_factor = 1.0f;
    bool factors = false;
    int offset = 0;
};

ggml_tensor * rotate(leaves & l, ggml_tensor * x, const rotation & r) {
    ggml_tensor * factors = r.factors ? l.constant({r.n_dims / 2}, 0.5f, 4.0f) : nullptr;
    ggml_tensor * y;
    if (r.mode & GGML_ROPE_TYPE_MROPE) {
        int sections[4] = {2, 1, 1, 0};
        if (r.mode == GGML_ROPE_TYPE_VISION) sections[0] = sections[1] = r.n_dims / 2;
        ggml_tensor * positions = l.indices({12}, {0, 1, 7, 2, 0, 5, 1, 3, 3, 0, 0, 0});
        y = ggml_rope_multi(l.ctx(), x, positions, factors, r.n_dims, sections, r.mode, 32, 10000.0f, r.freq_scale,
                            r.ext_factor, r.attn_factor, 32.0f, 1.0f);
    } else {
        ggml_tensor * positions = l.indices({3}, {0, 3, 50});
        y = ggml_rope_ext(l.ctx(), x, positions, factors, r.n_dims, r.mode, 32, 10000.0f, r.freq_scale, r.ext_factor,
                          r.attn_factor, 32.0f, 1.0f);
    }
    return r.offset ? ggml_rope_set_offset(y, r.offset) : y;
}

void add_soft_max(std::vector<op_case> & cases) {
    const auto soft_max = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build) {
        cases.push_back({"SOFT_MAX", name, std::move(build)});
    };
    soft_max("plain", [](leaves & l) { return ggml_soft_max(l.ctx(), l.parameter({6, 3, 2, 2}, -2, 2)); });
    soft_max("a scale without a mask",
             [](leaves & l) { return ggml_soft_max_ext(l.ctx(), l.parameter({6, 3, 2}, -2, 2), nullptr, 0.37f, 0); });
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16}) {
        soft_max(std::string("a scale and a causal mask of type ") + ggml_type_name(type), [=](leaves & l) {
            return ggml_soft_max_ext(l.ctx(), l.parameter({6, 4, 2, 2}, -2, 2), l.typed(type, {6, 4}, causal(6, 4)),
                                     0.5f, 0);
        });
    }
    soft_max("one mask per stream", [](leaves & l) {
        std::vector<float> two = causal(5, 3), second = causal(5, 3);
        two.insert(two.end(), second.rbegin(), second.rend());
        return ggml_soft_max_ext(l.ctx(), l.parameter({5, 3, 2, 2}, -2, 2), l.typed(GGML_TYPE_F32, {5, 3, 1, 2}, two),
                                 0.5f, 0);
    });
    for (const int64_t heads : {4, 3}) { // ALiBi has another rule for numbers of heads that are not powers of two
        soft_max("ALiBi over " + std::to_string(heads) + " heads", [=](leaves & l) {
            ggml_tensor * mask = l.constant({5, 3}, -4, 0);
            return ggml_soft_max_ext(l.ctx(), l.parameter({5, 3, heads}, -2, 2), mask, 0.5f, 8.0f);
        });
    }
    soft_max("attention sinks", [](leaves & l) {
        ggml_tensor * y = ggml_soft_max_ext(l.ctx(), l.parameter({6, 4, 3, 2}, -2, 2),
                                            l.typed(GGML_TYPE_F32, {6, 4}, causal(6, 4)), 0.5f, 0);
        ggml_soft_max_add_sinks(y, l.parameter({3}));
        return y;
    });
    soft_max("only the attention sinks are trained", [](leaves & l) {
        ggml_tensor * y = ggml_soft_max_ext(l.ctx(), l.constant({6, 4, 3}), l.constant({6, 4}), 0.5f, 0);
        ggml_soft_max_add_sinks(y, l.parameter({3}));
        return y;
    });
    soft_max("of scores from a product", [](leaves & l) {
        ggml_tensor * scores = ggml_mul_mat(l.ctx(), l.parameter({4, 5}), l.parameter({4, 3}));
        return ggml_soft_max_ext(l.ctx(), scores, nullptr, 0.5f, 0);
    });
}

void add_rope(std::vector<op_case> & cases) {
    const auto rope = [&](const std::string & name, const rotation & r) {
        cases.push_back({"ROPE", name, [=](leaves & l) { return rotate(l, l.parameter({8, 2, 3, 1}), r); }});
    };
    rotation r;
    rope("normal", r);
    r.mode = GGML_ROPE_TYPE_NEOX;
    rope("neox", r);
    for (const int mode : {GGML_ROPE_TYPE_NORMAL, GGML_ROPE_TYPE_NEOX}) {
        const std::string kind = mode == GGML_ROPE_TYPE_NEOX ? ", neox" : ", normal";
        rotation partial;
        partial.mode = mode;
        partial.n_dims = 4;
        rope("a part of the head dimensions" + kind, partial);
        partial.offset = 2;
        rope("a part in the middle of the head dimensions" + kind, partial);
        rotation factors;
        factors.mode = mode;
        factors.factors = true;
        rope("frequency factors" + kind, factors);
        rotation linear;
        linear.mode = mode;
        linear.freq_scale = 0.25f;
        rope("linear scaling" + kind, linear);
        rotation yarn = linear;
        yarn.ext_factor = 1.0f;
        yarn.attn_factor = 1.3f;
        rope("YaRN, which also scales the magnitude" + kind, yarn);
        yarn.factors = true;
        rope("YaRN and factors" + kind, yarn);
    }
    for (const auto & [mode, kind] : {std::pair<int, const char *>{GGML_ROPE_TYPE_MROPE, "mrope"},
                                      {GGML_ROPE_TYPE_IMROPE, "interleaved mrope"},
                                      {GGML_ROPE_TYPE_VISION, "vision"}}) {
        rotation sections;
        sections.mode = mode;
        if (mode == GGML_ROPE_TYPE_VISION) sections.n_dims = 4;
        rope(kind, sections);
    }
    for (const int mode : {GGML_ROPE_TYPE_NORMAL, GGML_ROPE_TYPE_NEOX}) {
        cases.push_back({"ROPE_BACK", mode == GGML_ROPE_TYPE_NEOX ? "neox" : "normal", [=](leaves & l) {
                             ggml_tensor * y =
                                 ggml_rope_ext_back(l.ctx(), l.parameter({8, 2, 3}), l.indices({3}, {0, 3, 50}),
                                                    nullptr, 4, mode, 32, 10000.0f, 1.0f, 0.0f, 1.0f, 32.0f, 1.0f);
                             return ggml_rope_set_offset(y, 4);
                         }});
    }
    cases.push_back({"ROPE", "heads in a fused projection", [](leaves & l) {
                         ggml_tensor * fused = l.parameter({32, 3});
                         ggml_tensor * q =
                             ggml_view_3d(l.ctx(), fused, 8, 2, 3, 8 * sizeof(float), fused->nb[1], 8 * sizeof(float));
                         return rotate(l, q, {8, GGML_ROPE_TYPE_NEOX});
                     }});
}

}

std::vector<op_case> attention() {
    std::vector<op_case> cases;
    add_soft_max(cases);
    add_rope(cases);
    return cases;
}

}
