#pragma once

// Attention masks: what query i of a stream adds to key j.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <vector>

namespace attention_masks {

using mask_function = std::function<float(int64_t stream, int64_t i, int64_t j)>;

inline float causal(int64_t, int64_t i, int64_t j) { return j <= i ? 0.0f : -INFINITY; }
inline float window(int64_t, int64_t i, int64_t j) { return j <= i && i - j < 70 ? 0.0f : -INFINITY; }
inline float distance(int64_t, int64_t i, int64_t j) { return j <= i ? float(j - i) : -INFINITY; }
// Segments of 37, 96, 64, … tokens, then rows that see only themselves.
inline float packed(int64_t stream, int64_t i, int64_t j) {
    const auto segment = [&](int64_t at) {
        static constexpr int64_t ends[] = {37, 133, 197, 290};
        at += 11 * stream;
        return at >= 290 ? at
                         : int64_t(std::upper_bound(std::begin(ends), std::end(ends), at) - std::begin(ends)) - 1000;
    };
    return j <= i && segment(i) == segment(j) ? 0.0f : -INFINITY;
}

// [n keys, n queries, streams]
inline std::vector<float> mask_values(const mask_function & mask, int64_t n, int64_t n_streams) {
    std::vector<float> values;
    for (int64_t s = 0; s < n_streams; s++) {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < n; j++) values.push_back(mask(s, i, j));
        }
    }
    return values;
}

}
