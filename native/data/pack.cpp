#include "data/pack.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace llamatune {

namespace {

std::vector<uint32_t> longest_first(const std::vector<uint32_t> & lengths) {
    std::vector<uint32_t> order(lengths.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return lengths[a] > lengths[b]; });
    return order;
}

// Orders the rows and the samples in them, and places the samples side by side.
void arrange(std::vector<row> & rows) {
    for (row & r : rows) {
        std::sort(r.segments.begin(), r.segments.end(),
                  [](const segment & a, const segment & b) { return a.sample < b.sample; });
        uint32_t begin = 0;
        for (segment & s : r.segments) {
            s.begin = begin;
            begin += s.length;
        }
    }
    std::sort(rows.begin(), rows.end(),
              [](const row & a, const row & b) { return a.segments[0].sample < b.segments[0].sample; });
}

// A lower bound of the number of rows: for their tokens, and for their longest samples, of which k fit into a row if k
// + 1 are too long for one.
uint64_t fewest_rows(const std::vector<uint32_t> & lengths, const std::vector<uint32_t> & order, uint32_t max_tokens,
                     uint32_t max_segments) {
    const auto rows_for = [](uint64_t n, uint64_t per_row) { return (n + per_row - 1) / per_row; };
    const uint64_t total = std::accumulate(lengths.begin(), lengths.end(), uint64_t(0));
    uint64_t fewest = std::max(rows_for(total, max_tokens), rows_for(lengths.size(), max_segments));
    for (uint64_t k = 1; k < max_segments; k++) {
        const auto end = std::partition_point(order.begin(), order.end(),
                                              [&](uint32_t sample) { return (k + 1) * lengths[sample] > max_tokens; });
        fewest = std::max(fewest, rows_for(uint64_t(end - order.begin()), k));
    }
    return std::max<uint64_t>(fewest, 1);
}

// Divides the samples into n rows; returns no rows if one of them would exceed its limits.
std::vector<row> divide(const std::vector<uint32_t> & lengths, const std::vector<uint32_t> & order, size_t n,
                        uint32_t max_tokens, uint32_t max_segments) {
    std::vector<row> rows(n);
    std::multimap<uint32_t, size_t> by_tokens; // rows that take more samples, by their number of tokens
    for (size_t i = 0; i < n; i++) by_tokens.emplace(0, i);
    for (const uint32_t sample : order) {
        const uint32_t length = lengths[sample];
        if (by_tokens.empty() || by_tokens.begin()->first > max_tokens - length) return {};
        const auto [tokens, index] = *by_tokens.begin();
        by_tokens.erase(by_tokens.begin());
        rows[index].segments.push_back({sample, 0, length});
        if (rows[index].segments.size() < max_segments) by_tokens.emplace(tokens + length, index);
    }
    return rows;
}

}

std::vector<row> one_row_each(const std::vector<uint32_t> & lengths) {
    std::vector<row> rows(lengths.size());
    for (size_t i = 0; i < lengths.size(); i++) { rows[i].segments.push_back({(uint32_t)i, 0, lengths[i]}); }
    return rows;
}

std::vector<row> pack_rows(const std::vector<uint32_t> & lengths, uint32_t sequence_length, uint32_t max_segments) {
    std::vector<row> rows;
    std::map<uint32_t, std::vector<uint32_t>> open; // rows by their number of free tokens
    for (const uint32_t sample : longest_first(lengths)) {
        const uint32_t length = lengths[sample];
        const auto fit = open.lower_bound(length);
        uint32_t free = sequence_length, index = (uint32_t)rows.size();
        if (fit == open.end()) {
            rows.emplace_back();
        } else {
            free = fit->first;
            index = fit->second.back();
            fit->second.pop_back();
            if (fit->second.empty()) { open.erase(fit); }
        }
        rows[index].segments.push_back({sample, 0, length});
        if (free > length && rows[index].segments.size() < max_segments) { open[free - length].push_back(index); }
    }
    arrange(rows);
    return rows;
}

std::vector<row> balanced_rows(const std::vector<uint32_t> & lengths, uint32_t max_tokens, uint32_t max_segments) {
    const std::vector<uint32_t> order = longest_first(lengths);
    std::vector<row> rows;
    for (uint64_t n = fewest_rows(lengths, order, max_tokens, max_segments); rows.empty(); n++) {
        rows = divide(lengths, order, size_t(n), max_tokens, max_segments);
    }
    arrange(rows);
    return rows;
}

}
