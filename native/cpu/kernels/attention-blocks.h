#pragma once

// Shared by the forward and the backward pass of attention.

#include "cpu/kernels/attention.h"
#include "cpu/kernels/vector-math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <vector>

namespace llamatune::attention {

constexpr int64_t tile = 64; // queries and keys per state of the mask
constexpr int64_t lanes = floats_in_vector;

template <typename T>
constexpr gemm_type type_of() {
    return std::is_same_v<T, float> ? gemm_type::f32 : gemm_type::bf16;
}

template <typename T>
gemm_operand rows(const T * data, int64_t width) {
    return {data, width, 1};
}
template <typename T>
gemm_operand columns(const T * data, int64_t width) {
    return {data, 1, width};
} // of the transpose

// Offsets of several arrays in one allocation, aligned to cache lines.
class layout {
public:
    template <typename T>
    size_t add(int64_t n) {
        const size_t at = bytes_;
        bytes_ += (size_t(n) * sizeof(T) + 63) / 64 * 64;
        return at;
    }
    size_t bytes() const { return bytes_; }

private:
    size_t bytes_ = 0;
};

// Consecutive keys that at least one query of a block attends to.
struct key_run {
    int64_t first, count;
};
// A part of a run that is all masked, partly masked or not masked for the queries of a tile.
enum class tile_mask { skip, partial, full };
struct segment {
    int64_t first, count;
    tile_mask mask;
};

// Rows of scores are padded to whole vectors with masked keys.
constexpr int64_t whole_vectors(int64_t n) { return (n + lanes - 1) / lanes * lanes; }

class mask_view {
public:
    mask_view(const attention_inputs & in, int64_t stream);

    // Finds the runs of at most `most` keys in [first, end) that the queries [query, query + n) attend to.
    void runs(int64_t query, int64_t n, int64_t first, int64_t end, int64_t most, std::vector<key_run> & found) const;
    // Splits a run by the mask's state for the tile of `query`.
    void segments(int64_t query, const key_run & run, std::vector<segment> & found) const;
    // The mask's row for a part of a run, padded to whole vectors; copied to `space` unless it is like that in memory.
    const float * row(int64_t query, const key_run & run, const segment & part, float * space) const;

private:
    const attention_inputs & in_;
    const float * tiles_ = nullptr;
    int64_t per_row_, stream_of_mask_ = 0;

    float state(int64_t tile_row, int64_t tile_column) const {
        return tiles_ ? tiles_[tile_row * per_row_ + tile_column] : 2.0f;
    }
};

// The ALiBi slope of a head, which multiplies the mask.
float slope(const attention_shape & shape, int64_t head);

// For rows that are not consecutive and too short for the CPU's prefetcher.
inline void prefetch_row(const float * row, int64_t width) {
    for (int64_t j = 0; j < width; j += 16) __builtin_prefetch(row + j);
}

template <typename T>
void copy_rows(const float * from, int64_t stride, int64_t n, int64_t width, T * to) {
    constexpr int64_t ahead = 4;
    const int64_t whole = width / lanes * lanes;
    for (int64_t i = 0; i < n; i++) {
        const float * row = from + i * stride;
        T * out = to + i * width;
        if (i + ahead < n) prefetch_row(row + ahead * stride, width);
        for (int64_t j = 0; j < whole; j += lanes) store_operand(out + j, load_floats(row + j));
        for (int64_t j = whole; j < width; j++) store_operand(out + j, row[j]);
    }
}

inline float dot(const float * a, const float * b, int64_t n) {
    float_vector sums{};
    const int64_t whole = n / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) sums = multiply_add(load_floats(a + i), load_floats(b + i), sums);
    float total = sum_of_lanes(sums);
    for (int64_t i = whole; i < n; i++) total += a[i] * b[i];
    return total;
}

// Masks the padding behind the scores of a run.
inline void hide_rest(float * row, int64_t count) {
    for (int64_t j = count; j < whole_vectors(count); j++) row[j] = -INFINITY;
}

}
