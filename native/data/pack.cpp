#include "data/pack.h"

#include "core/error.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

namespace llamatune {

namespace {

void check_lengths(const std::vector<uint32_t> & lengths, uint32_t sequence_length) {
    for (size_t i = 0; i < lengths.size(); i++) {
        if (lengths[i] > sequence_length) {
            throw error("SAMPLE_TOO_LONG",
                        "sample " + std::to_string(i) + " has " + std::to_string(lengths[i]) +
                            " tokens, more than the sequence length of " + std::to_string(sequence_length),
                        "raise the sequence length, or shorten or drop the sample");
        }
    }
}

std::vector<row> one_row_each(const std::vector<uint32_t> & lengths) {
    std::vector<row> rows(lengths.size());
    for (size_t i = 0; i < lengths.size(); i++) { rows[i].segments.push_back({(uint32_t)i, 0, lengths[i]}); }
    return rows;
}

std::vector<row> best_fit_decreasing(const std::vector<uint32_t> & lengths, uint32_t sequence_length,
                                     uint32_t max_segments) {
    std::vector<uint32_t> order(lengths.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return lengths[a] > lengths[b]; });

    std::vector<row> rows;
    std::map<uint32_t, std::vector<uint32_t>> open; // rows by their number of free tokens
    for (const uint32_t sample : order) {
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
    return rows;
}

}

std::vector<row> pack_rows(const std::vector<uint32_t> & lengths, uint32_t sequence_length, bool packing,
                           uint32_t max_segments) {
    check_lengths(lengths, sequence_length);
    if (!packing) { return one_row_each(lengths); }
    std::vector<row> rows = best_fit_decreasing(lengths, sequence_length, max_segments);
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
    return rows;
}

}
