#include "data/layout.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace llamatune {

namespace {

constexpr uint32_t min_length = 16; // of a row, unless the micro-batch has fewer tokens
constexpr uint32_t max_rows_by_length = 16;

// Rows of a micro-batch that are `length` tokens long.
uint32_t max_rows_of(uint32_t length, uint32_t budget) { return std::clamp(budget / length, 1u, max_rows_by_length); }

// The padding of a row counts as a segment.
uint32_t max_samples_of_row(uint32_t n_rows) { return std::max(2u, max_segments / std::max(1u, n_rows)) - 1; }

// The length of the row for n tokens, at most `limit`: there are eight lengths from a power of two to the next one.
uint32_t rounded_length(uint32_t n, uint32_t limit) {
    uint32_t unit = min_length;
    while (unit * 16 <= n) unit *= 2;
    const uint64_t length = (uint64_t(n) + unit - 1) / unit * unit;
    return uint32_t(std::min<uint64_t>(length, limit));
}

uint32_t n_tokens(const row & r) { return r.segments.back().begin + r.segments.back().length; }

std::vector<planned_batch> without_padding(const std::vector<uint32_t> & lengths, uint32_t budget) {
    std::vector<planned_batch> batches;
    for (row & r : balanced_rows(lengths, budget, max_samples_of_row(1))) {
        batches.push_back({{1, rounded_length(n_tokens(r), budget), true}, {}});
        batches.back().rows.push_back(std::move(r));
    }
    return batches;
}

std::vector<planned_batch> by_length(const std::vector<uint32_t> & lengths, uint32_t budget) {
    std::vector<row> rows = one_row_each(lengths);
    std::stable_sort(rows.begin(), rows.end(), [](const row & a, const row & b) { return n_tokens(a) > n_tokens(b); });
    std::vector<planned_batch> batches;
    for (size_t first = 0; first < rows.size();) {
        const uint32_t length = rounded_length(n_tokens(rows[first]), budget);
        const size_t count = std::min<size_t>(max_rows_of(length, budget), rows.size() - first);
        const auto begin = rows.begin() + ptrdiff_t(first);
        batches.push_back({{uint32_t(count), length, false}, {begin, begin + ptrdiff_t(count)}});
        first += count;
    }
    return batches;
}

batch_shape fixed_shape(const layout_options & o) {
    return {o.micro_batch_size, o.sequence_length, o.layout == batch_layout::packed};
}

// Micro-batches of `micro_batch_size` rows; the last one may have rows without samples.
std::vector<planned_batch> in_order(const std::vector<row> & rows, const batch_shape & shape) {
    std::vector<planned_batch> batches;
    for (size_t first = 0; first < rows.size(); first += shape.n_rows) {
        const size_t count = std::min<size_t>(shape.n_rows, rows.size() - first);
        const auto begin = rows.begin() + ptrdiff_t(first);
        batches.push_back({shape, {begin, begin + ptrdiff_t(count)}});
    }
    return batches;
}

}

bool has_token_budget(batch_layout layout) {
    return layout == batch_layout::padding_free || layout == batch_layout::by_length;
}

std::vector<batch_shape> largest_shapes(const layout_options & o) {
    switch (o.layout) {
    case batch_layout::padding_free: return {{1, o.micro_batch_tokens, true}};
    case batch_layout::by_length: {
        // attention needs most for one long row, recurrent state for many rows
        const uint32_t rows = max_rows_of(min_length, o.micro_batch_tokens);
        return {{1, o.micro_batch_tokens, false}, {rows, o.micro_batch_tokens / rows, false}};
    }
    case batch_layout::packed:
    case batch_layout::padded: break;
    }
    return {fixed_shape(o)};
}

uint64_t tokens_of_any(size_t n, std::vector<uint32_t> lengths, const layout_options & o) {
    n = std::min(n, lengths.size());
    std::nth_element(lengths.begin(), lengths.begin() + ptrdiff_t(n) - 1, lengths.end(), std::greater<>());
    if (o.layout == batch_layout::by_length) {
        const uint32_t longest = *std::max_element(lengths.begin(), lengths.end());
        return std::min<uint64_t>(n, max_rows_by_length) * rounded_length(longest, UINT32_MAX);
    }
    return std::accumulate(lengths.begin(), lengths.begin() + ptrdiff_t(n), uint64_t(0));
}

std::vector<planned_batch> lay_out(const std::vector<uint32_t> & lengths, const layout_options & o) {
    switch (o.layout) {
    case batch_layout::padding_free: return without_padding(lengths, o.micro_batch_tokens);
    case batch_layout::by_length: return by_length(lengths, o.micro_batch_tokens);
    case batch_layout::packed:
        return in_order(pack_rows(lengths, o.sequence_length, max_samples_of_row(o.micro_batch_size)), fixed_shape(o));
    case batch_layout::padded: break;
    }
    return in_order(one_row_each(lengths), fixed_shape(o));
}

}
