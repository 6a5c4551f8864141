#ifdef LLAMATUNE_ONEDNN

// Attention by our own kernels: as llama.cpp builds it, against ggml's forward and the composed rules; in bfloat16
// against F32; and against differences of its own result.

#include "cpu/kernels/attention.h"
#include "core/rng.h"
#include "cpu/fusion/against-composed.h"
#include "harness.h"

#include <algorithm>
#include <cmath>

using namespace llamatune;
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

// What query i of a stream adds to key j.
using mask_function = std::function<float(int64_t stream, int64_t i, int64_t j)>;

float causal(int64_t, int64_t i, int64_t j) { return j <= i ? 0.0f : -INFINITY; }
float window(int64_t, int64_t i, int64_t j) { return j <= i && i - j < 70 ? 0.0f : -INFINITY; }
float distance(int64_t, int64_t i, int64_t j) { return j <= i ? float(j - i) : -INFINITY; }
// segments of 37, 96, 64, … tokens, and a tail of rows that see themselves only
float packed(int64_t stream, int64_t i, int64_t j) {
    const auto segment = [&](int64_t at) {
        static constexpr int64_t ends[] = {37, 133, 197, 290};
        at += 11 * stream;
        return at >= 290 ? at
                         : int64_t(std::upper_bound(std::begin(ends), std::end(ends), at) - std::begin(ends)) - 1000;
    };
    return j <= i && segment(i) == segment(j) ? 0.0f : -INFINITY;
}

std::vector<float> mask_values(const mask_function & mask, int64_t n, int64_t n_streams) {
    std::vector<float> values;
    for (int64_t s = 0; s < n_streams; s++) {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < n; j++) values.push_back(mask(s, i, j));
        }
    }
    return values;
}

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

TEST("fused/attention: causal, lengths on both sides of every block's") {
    for (const int64_t n : {2, 3, 63, 64, 65, 128, 131, 200, 515, 600})
        check(("causal " + std::to_string(n)).c_str(), sized(n), causal);
}

TEST("fused/attention: no mask at all") {
    for (const int64_t n : {5, 130, 520})
        check("no mask", sized(n), nullptr, {"ATTENTION_SUMS", "ATTENTION", "ATTENTION_BACK"});
}

TEST("fused/attention: heads of queries share those of keys; values are wider or narrower than keys") {
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

TEST("fused/attention: streams with masks of their own: packed segments, rows that see themselves only, a sliding "
     "window") {
    for (const mask_function & mask : {mask_function(packed), mask_function(window)}) {
        for (const int64_t n : {300, 700}) {
            attention_case c = sized(n, 2, 1);
            c.n_streams = 3;
            check("streams", c, mask);
        }
    }
}

TEST("fused/attention: ALiBi over heads that are and are not a power of two, sinks that are trained, masks in F16") {
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

TEST("fused/attention: the result as the product leaves it, where nothing brings the heads together") {
    attention_case c = sized(140, 4, 2);
    c.merged = false;
    c.n_streams = 2;
    check("apart", c, causal);
}

TEST("fused/attention: queries, keys and values of one projection, and each of them trained alone") {
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

TEST("fused/attention: two layers look at one mask once; scores that something else reads too stay ggml's") {
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

namespace {

// The kernels by themselves: rows lie as [stream][token][head].
struct bare {
    attention_shape shape;
    std::vector<float> q, k, v, mask_of, tiles, sinks, d_out;
    ggml_tensor mask{};

    bare(const attention_shape & s, const mask_function & f) : shape(s) {
        rng random(5);
        const auto drawn = [&](int64_t n, float by) {
            std::vector<float> values(static_cast<size_t>(n));
            random.fill_normal(values.data(), values.size(), by);
            return values;
        };
        q = drawn(s.n_streams * s.n_queries * s.n_heads * s.head_size, 1.5f);
        k = drawn(s.n_streams * s.n_keys * s.n_key_heads * s.head_size, 1.5f);
        v = drawn(s.n_streams * s.n_keys * s.n_key_heads * s.value_size, 1);
        sinks = drawn(s.n_heads, 1);
        d_out = drawn(s.n_streams * s.n_queries * s.n_heads * s.value_size, 1);
        mask_of = mask_values(f, s.n_keys, s.n_streams);
        mask.type = GGML_TYPE_F32;
        mask.data = mask_of.data();
        const int64_t ne[] = {s.n_keys, s.n_queries, 1, s.n_streams};
        for (int i = 0; i < GGML_MAX_DIMS; i++) {
            mask.ne[i] = ne[i];
            mask.nb[i] = i ? mask.nb[i - 1] * size_t(ne[i - 1]) : sizeof(float);
        }
        tiles.resize(size_t(attention_tile_count(s.n_keys) * attention_tile_count(s.n_queries) * s.n_streams));
    }

    static attention_rows rows(std::vector<float> & x, int64_t n, int64_t heads, int64_t width) {
        return {x.data(), heads * width, width, n * heads * width};
    }
    attention_inputs inputs() {
        return {shape,
                rows(q, shape.n_queries, shape.n_heads, shape.head_size),
                rows(k, shape.n_keys, shape.n_key_heads, shape.head_size),
                rows(v, shape.n_keys, shape.n_key_heads, shape.value_size),
                &mask,
                tiles.data(),
                sinks.data()};
    }
    // [out, dq, dk, dv, dsinks]
    std::vector<std::vector<float>> run(gemm_type operands) {
        executor on(2, operands);
        attention_tiles(&mask, shape.n_queries, tiles.data(), on);
        std::vector<std::vector<float>> results{d_out, q, k, v, sinks};
        for (auto & values : results) std::fill(values.begin(), values.end(), NAN);
        std::vector<float> sums(size_t(shape.n_queries * shape.n_heads * shape.n_streams), NAN);
        const attention_rows out = rows(results[0], shape.n_queries, shape.n_heads, shape.value_size);
        const attention_rows dy = rows(d_out, shape.n_queries, shape.n_heads, shape.value_size);
        attention_forward(inputs(), out, sums.data(), on);
        attention_backward(inputs(), out, sums.data(), dy,
                           {rows(results[1], shape.n_queries, shape.n_heads, shape.head_size),
                            rows(results[2], shape.n_keys, shape.n_key_heads, shape.head_size),
                            rows(results[3], shape.n_keys, shape.n_key_heads, shape.value_size)},
                           on);
        attention_sinks_backward(inputs(), out, sums.data(), dy, results[4].data(), on);
        return results;
    }
    double weighted() { // Σ out · d_out
        executor on(1, gemm_type::f32);
        attention_tiles(&mask, shape.n_queries, tiles.data(), on);
        std::vector<float> y(d_out.size()), sums(size_t(shape.n_queries * shape.n_heads * shape.n_streams));
        attention_forward(inputs(), rows(y, shape.n_queries, shape.n_heads, shape.value_size), sums.data(), on);
        double total = 0;
        for (size_t i = 0; i < y.size(); i++) total += double(y[i]) * double(d_out[i]);
        return total;
    }
};

double difference(const std::vector<float> & a, const std::vector<float> & b) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < a.size(); i++) {
        error += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
        norm += double(b[i]) * double(b[i]);
    }
    return std::sqrt(error / norm);
}

}

TEST("fused/attention: with bfloat16 operands, close to F32") {
    if (!gemm_has_fast_bf16()) SKIP("products of bfloat16 are emulated here");
    for (const mask_function & mask : {mask_function(causal), mask_function(packed), mask_function(window)}) {
        bare b({64, 48, 600, 600, 4, 2, 2, 0.125f, 0}, mask);
        const auto wide = b.run(gemm_type::f32), narrow = b.run(gemm_type::bf16);
        for (size_t i = 0; i < wide.size(); i++) {
            const double error = difference(narrow[i], wide[i]);
            if (!(error > 0 && error < 1.5e-2))
                harness::fail(__FILE__, __LINE__,
                              "result " + std::to_string(i) + ", received " + std::to_string(error));
        }
    }
}

TEST("fused/attention: gradients are slopes") {
    bare b({12, 8, 70, 70, 4, 2, 2, 0.3f, 0}, packed);
    const auto results = b.run(gemm_type::f32);
    std::vector<float> * const inputs[] = {&b.q, &b.k, &b.v, &b.sinks};
    rng random(9);
    for (int which = 0; which < 4; which++) {
        const std::vector<float> & gradient = results[size_t(which) + 1];
        std::vector<float> & x = *inputs[which];
        const std::vector<float> before = x;
        std::vector<float> direction(x.size()); // from the gradient into a random one, see check_slopes()
        random.fill_normal(direction.data(), direction.size(), 1);
        double along = 0, length = 0, norm = 0;
        for (float g : gradient) norm += double(g) * double(g);
        for (size_t i = 0; i < x.size(); i++) {
            direction[i] = 0.5f * direction[i] / std::sqrt(float(x.size())) + gradient[i] / float(std::sqrt(norm));
            along += double(direction[i]) * double(gradient[i]);
            length += double(direction[i]) * double(direction[i]);
        }
        along /= std::sqrt(length);
        const double step = 2e-2;
        double value[2];
        for (const int side : {0, 1}) {
            for (size_t i = 0; i < x.size(); i++)
                x[i] = before[i] + float((side ? step : -step) / std::sqrt(length)) * direction[i];
            value[side] = b.weighted();
        }
        x = before;
        CHECK_NEAR((value[1] - value[0]) / (2 * step), along, 2e-3 * std::sqrt(norm));
    }
}

TEST("fused/attention: a query that sees nothing gives zeros and no gradient") {
    const int64_t hidden_from = 100;
    bare b({16, 16, 150, 150, 2, 1, 1, 0.25f, 0},
           [&](int64_t, int64_t i, int64_t j) { return i < hidden_from && j <= i ? 0.0f : -INFINITY; });
    std::fill(b.sinks.begin(), b.sinks.end(), -INFINITY);
    for (const gemm_type operands : {gemm_type::f32, gemm_type::bf16}) {
        if (operands == gemm_type::bf16 && !gemm_has_fast_bf16()) continue;
        const auto results = b.run(operands);
        for (size_t which = 0; which < 4; which++) {
            const size_t first = size_t(hidden_from) * 16 * (which < 2 ? 2 : 1);
            for (size_t i = 0; i < results[which].size(); i++) {
                CHECK(std::isfinite(results[which][i]));
                if (i >= first) CHECK(results[which][i] == 0.0f);
            }
        }
    }
}

#endif
