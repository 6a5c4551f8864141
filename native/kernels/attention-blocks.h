#pragma once

// Shared by attention's two directions.

#include "kernels/attention.h"
#include "kernels/vector-math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <vector>

namespace llamatune::attention {

constexpr int64_t tile  = 64; // queries and keys that a mask is judged by
constexpr int64_t lanes = vector_lanes;

template <typename T> constexpr gemm_type type_of() { return std::is_same_v<T, float> ? gemm_type::f32 : gemm_type::bf16; }

template <typename T> gemm_operand rows(const T * data, int64_t width) { return { data, width, 1 }; }
template <typename T> gemm_operand columns(const T * data, int64_t width) { return { data, 1, width }; } // of the transpose

// Places of several arrays in one room.
class layout {
public:
    template <typename T> size_t add(int64_t n) {
        const size_t at = bytes_;
        bytes_ += (size_t(n) * sizeof(T) + 63) / 64 * 64;
        return at;
    }
    size_t bytes() const { return bytes_; }

private:
    size_t bytes_ = 0;
};

// Keys that at least one query of a block sees, side by side.
struct key_run { int64_t first, count; };
// A part of a run in which a tile's rows of queries read the mask, or need not.
struct segment { int64_t first, count; bool masked; };

class mask_view {
public:
    mask_view(const attention_inputs & in, int64_t stream);

    // The runs of at most `most` keys in [first, end) that the queries [query, query + n) see.
    void runs(int64_t query, int64_t n, int64_t first, int64_t end, int64_t most, std::vector<key_run> & found) const;
    // How the queries of the tile that `query` lies in go through a run.
    void segments(int64_t query, const key_run & run, std::vector<segment> & found) const;
    // The mask's row, from key `first` on; converted into `space` when it is F16.
    const float * row(int64_t query, int64_t first, int64_t count, float * space) const;

private:
    const attention_inputs & in_;
    const float *            tiles_ = nullptr;
    int64_t                  per_row_, stream_of_mask_ = 0;

    float state(int64_t tile_row, int64_t tile_column) const { return tiles_ ? tiles_[tile_row * per_row_ + tile_column] : 2.0f; }
};

// The factor of the mask in this head.
float slope(const attention_shape & shape, int64_t head);

template <typename T> void copy_rows(const float * from, int64_t stride, int64_t n, int64_t width, T * to) {
    for (int64_t i = 0; i < n; i++) {
        const float * row = from + i * stride;
        T * out = to + i * width;
        for (int64_t j = 0; j < width; j++) store_operand(out + j, row[j]);
    }
}

inline float dot(const float * a, const float * b, int64_t n) {
    float sums[lanes] = {};
    const int64_t whole = n / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) {
        for (int64_t j = 0; j < lanes; j++) sums[j] = multiply_add(a[i + j], b[i + j], sums[j]);
    }
    for (int64_t i = whole; i < n; i++) sums[0] += a[i] * b[i];
    return sum_of_lanes(sums);
}

}
