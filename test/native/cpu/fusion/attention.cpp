// Attention as llama.cpp builds it, by our kernels, against ggml's forward and the composed rules.

#include "cpu/attention-masks.h"
#include "cpu/fusion/against-composed.h"
#include "harness.h"

#include <cmath>

using namespace attention_masks;
using fused::expect_same;
using op_cases::leaves;

namespace {

const std::vector<std::string> masked{"ATTENTION_SUMS", "ATTENTION_TILES", "ATTENTION", "ATTENTION_BACK"};

struct attention_case {
    int64_t n_heads = 2, n_key_heads = 2, head_size = 16, value_size = 16, n = 40, n_streams = 1;
    float max_bias = 0;
    bool sinks = false, merged = true;
    ggml_type mask_type = GGML_TYPE_F32;
};

// As llama.cpp's build_attn_mha() does without flash attention.
ggml_tensor * attention(leaves & l, const attention_case & c, const mask_function & mask, ggml_tensor * q,
                        ggml_tensor * k, ggml_tensor * v) {
    ggml_context * ctx = l.ctx();
    q = ggml_view_4d(ctx, q, q->ne[0], q->ne[1], c.n, c.n_streams, q->nb[1], q->nb[2], q->nb[2] * size_t(c.n), 0);
    q = ggml_permute(ctx, q, 0, 2, 1, 3);
    k = ggml_permute(ctx, k, 0, 2, 1, 3);
    v = ggml_permute(ctx, v, 0, 2, 1, 3);
    ggml_tensor * bias =
        mask ? l.typed(c.mask_type, {c.n, c.n, 1, c.n_streams}, mask_values(mask, c.n, c.n_streams)) : nullptr;
    ggml_tensor * p =
        ggml_soft_max_ext(ctx, ggml_mul_mat(ctx, k, q), bias, 1.0f / std::sqrt(float(c.head_size)), c.max_bias);
    if (c.sinks) ggml_soft_max_add_sinks(p, l.parameter({c.n_heads}));
    ggml_tensor * y = ggml_mul_mat(ctx, ggml_cont(ctx, ggml_transpose(ctx, v)), p);
    if (!c.merged) return ggml_scale(ctx, y, 1.5f);
    y = ggml_permute(ctx, y, 0, 2, 1, 3);
    return ggml_cont_2d(ctx, y, y->ne[0] * y->ne[1], y->ne[2] * y->ne[3]);
}

ggml_tensor * attention(leaves & l, const attention_case & c, const mask_function & mask) {
    ggml_tensor * q = l.parameter({c.head_size, c.n_heads, c.n * c.n_streams}, -2, 2);
    ggml_tensor * k = l.parameter({c.head_size, c.n_key_heads, c.n, c.n_streams}, -2, 2);
    return attention(l, c, mask, q, k, l.parameter({c.value_size, c.n_key_heads, c.n, c.n_streams}));
}

void check(const char * name, const attention_case & c, const mask_function & mask,
           std::vector<std::string> ops = masked) {
    if (c.sinks) ops.insert(ops.end() - 1, "ATTENTION_SINKS_BACK");
    expect_same(name, ops, [&](leaves & l) { return attention(l, c, mask); });
}

attention_case sized(int64_t n, int64_t n_heads = 2, int64_t n_key_heads = 2) {
    attention_case c;
    c.n = n;
    c.n_heads = n_heads;
    c.n_key_heads = n_key_heads;
    return c;
}

}

TEST("cpu/fusion/attention: causal, lengths just below and above each block size") {
    for (const int64_t n : {2, 3, 63, 64, 65, 128, 131, 200, 515, 600})
        check(("causal " + std::to_string(n)).c_str(), sized(n), causal);
}

TEST("cpu/fusion/attention: without a mask") {
    for (const int64_t n : {5, 130, 520})
        check("no mask", sized(n), nullptr, {"ATTENTION_SUMS", "ATTENTION", "ATTENTION_BACK"});
}

TEST("cpu/fusion/attention: query heads share key heads; values are wider or narrower than keys") {
    for (const auto & [heads, key_heads] : {std::pair<int64_t, int64_t>{4, 2}, {4, 1}, {6, 2}, {5, 1}}) {
        check("shared", sized(150, heads, key_heads), causal);
    }
    for (const auto & [head, value] : {std::pair<int64_t, int64_t>{24, 8}, {8, 40}, {17, 5}}) {
        attention_case c = sized(150, 4, 2);
        c.head_size = head;
        c.value_size = value;
        check("sizes", c, causal);
    }
}

TEST("cpu/fusion/attention: one mask per stream: packed segments, rows that only attend to themselves, a sliding "
     "window") {
    for (const mask_function & mask : {mask_function(packed), mask_function(window)}) {
        for (const int64_t n : {300, 700}) {
            attention_case c = sized(n, 2, 1);
            c.n_streams = 3;
            check("streams", c, mask);
        }
    }
}

TEST("cpu/fusion/attention: ALiBi over heads that are and are not a power of two, trained sinks, masks in "
     "F16") {
    for (const int64_t heads : {4, 3}) {
        attention_case c = sized(140, heads, 1);
        c.max_bias = 8;
        check("alibi", c, distance);
    }
    attention_case c = sized(140, 4, 2);
    c.sinks = true;
    c.n_streams = 2;
    check("sinks", c, causal);
    check("sinks and packed", c, packed);
    c.mask_type = GGML_TYPE_F16;
    check("f16", c, causal);
}

TEST("cpu/fusion/attention: a graph that does not merge heads") {
    attention_case c = sized(140, 4, 2);
    c.merged = false;
    c.n_streams = 2;
    check("apart", c, causal);
}

TEST("cpu/fusion/attention: queries, keys and values of one projection, all trained or only one of them") {
    const attention_case c = sized(70, 4, 2);
    const int64_t width = c.head_size;
    const auto part = [&](leaves & l, ggml_tensor * all, int64_t first, int64_t heads) {
        return ggml_view_3d(l.ctx(), all, width, heads, c.n, size_t(width) * sizeof(float), all->nb[1],
                            size_t(first * width) * sizeof(float));
    };
    expect_same("one projection", masked, [&](leaves & l) {
        ggml_tensor * all = l.parameter({width * 8, c.n}, -2, 2);
        return attention(l, c, causal, part(l, all, 0, 4), part(l, all, 4, 2), part(l, all, 6, 2));
    });
    for (int trained = 0; trained < 3; trained++) {
        expect_same("alone", masked, [&](leaves & l) {
            const auto leaf = [&](int i, int64_t heads) {
                return i == trained ? l.parameter({width, heads, c.n}, -2, 2) : l.constant({width, heads, c.n}, -2, 2);
            };
            ggml_tensor *q = leaf(0, 4), *k = leaf(1, 2), *v = leaf(2, 2);
            return attention(l, c, causal, q, k, v);
        });
    }
}

TEST("cpu/fusion/attention: two layers share the blocks of a mask; scores with another reader are not fused") {
    const attention_case c = sized(70);
    const auto layer = [&](leaves & l, ggml_tensor * x, ggml_tensor * bias) {
        ggml_context * ctx = l.ctx();
        ggml_tensor * heads = ggml_permute(ctx, ggml_reshape_3d(ctx, x, 16, 2, c.n), 0, 2, 1, 3);
        ggml_tensor * p = ggml_soft_max_ext(ctx, ggml_mul_mat(ctx, heads, heads), bias, 0.25f, 0);
        ggml_tensor * y =
            ggml_permute(ctx, ggml_mul_mat(ctx, ggml_cont(ctx, ggml_transpose(ctx, heads)), p), 0, 2, 1, 3);
        return ggml_cont_2d(ctx, y, 32, c.n);
    };
    expect_same("two layers",
                {"ATTENTION_SUMS", "ATTENTION_TILES", "ATTENTION", "ATTENTION_SUMS", "ATTENTION", "ATTENTION_BACK",
                 "ATTENTION_BACK"},
                [&](leaves & l) {
                    ggml_tensor * bias = l.typed(GGML_TYPE_F32, {c.n, c.n}, mask_values(causal, c.n, 1));
                    return layer(l, layer(l, l.parameter({32, c.n}, -2, 2), bias), bias);
                });
    expect_same("two readers", {}, [&](leaves & l) {
        ggml_tensor *q = l.parameter({16, 9, 2}), *scores = ggml_mul_mat(l.ctx(), q, q);
        ggml_tensor * v = ggml_cont(l.ctx(), ggml_transpose(l.ctx(), q));
        return ggml_add(l.ctx(), ggml_mul_mat(l.ctx(), v, ggml_soft_max(l.ctx(), scores)),
                        ggml_mul_mat(l.ctx(), v, scores));
    });
}
