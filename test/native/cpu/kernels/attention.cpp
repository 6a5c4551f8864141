// The attention kernels called directly: bfloat16 against F32, gradients against differences of the result.

#include "cpu/kernels/attention.h"

#include "core/rng.h"
#include "cpu/attention-masks.h"
#include "harness.h"
#include "relative-error.h"

using namespace llamatune;
using namespace attention_masks;

namespace {

// Inputs of the kernels, rows as [stream][token][head].
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
        executor exec(2, operands);
        attention_tiles(&mask, shape.n_queries, tiles.data(), exec);
        std::vector<std::vector<float>> results{d_out, q, k, v, sinks};
        for (auto & values : results) std::fill(values.begin(), values.end(), NAN);
        std::vector<float> sums(size_t(shape.n_queries * shape.n_heads * shape.n_streams), NAN);
        const attention_rows out = rows(results[0], shape.n_queries, shape.n_heads, shape.value_size);
        const attention_rows dy = rows(d_out, shape.n_queries, shape.n_heads, shape.value_size);
        attention_forward(inputs(), out, sums.data(), exec);
        attention_backward(inputs(), out, sums.data(), dy,
                           {rows(results[1], shape.n_queries, shape.n_heads, shape.head_size),
                            rows(results[2], shape.n_keys, shape.n_key_heads, shape.head_size),
                            rows(results[3], shape.n_keys, shape.n_key_heads, shape.value_size)},
                           exec);
        attention_sinks_backward(inputs(), out, sums.data(), dy, results[4].data(), exec);
        return results;
    }
    double weighted() { // Σ out · d_out
        executor exec(1, gemm_type::f32);
        attention_tiles(&mask, shape.n_queries, tiles.data(), exec);
        std::vector<float> y(d_out.size()), sums(size_t(shape.n_queries * shape.n_heads * shape.n_streams));
        attention_forward(inputs(), rows(y, shape.n_queries, shape.n_heads, shape.value_size), sums.data(), exec);
        double total = 0;
        for (size_t i = 0; i < y.size(); i++) total += double(y[i]) * double(d_out[i]);
        return total;
    }
};

}

TEST("cpu/kernels/attention: with bfloat16 operands, close to F32") {
    if (!gemm_has_fast_bf16()) SKIP("products of bfloat16 are emulated here");
    for (const mask_function & mask : {mask_function(causal), mask_function(packed), mask_function(window)}) {
        bare b({64, 48, 600, 600, 4, 2, 2, 0.125f, 0}, mask);
        const auto wide = b.run(gemm_type::f32), narrow = b.run(gemm_type::bf16);
        for (size_t i = 0; i < wide.size(); i++) {
            const double error = relative_error(narrow[i], wide[i]);
            if (!(error > 0 && error < 1.5e-2))
                harness::fail(__FILE__, __LINE__,
                              "result " + std::to_string(i) + ", received " + std::to_string(error));
        }
    }
}

TEST("cpu/kernels/attention: gradients are slopes") {
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

TEST("cpu/kernels/attention: a query with all keys masked gives zeros and no gradient") {
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
