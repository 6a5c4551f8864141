#pragma once

#include <cstdint>
#include <vector>

namespace llamatune {

// One whole sample inside a row: tokens [begin, begin + length) of the row.
struct segment {
    uint32_t sample;
    uint32_t begin;
    uint32_t length;
};

// The samples of one row; the rest of the row up to the sequence length is padding.
struct row {
    std::vector<segment> segments;
};

// Distributes samples (given by their lengths) over rows of `sequence_length` tokens. Without packing each sample has
// its own row. With packing, whole samples go, longest first, into the fullest row that they fit (best-fit decreasing,
// arXiv 2107.02027). The result depends only on the arguments: rows are ordered by their first sample, and samples
// within a row by index. A row holds at most `max_segments` samples. O(n log n). Throws error SAMPLE_TOO_LONG.
std::vector<row> pack_rows(const std::vector<uint32_t> & lengths, uint32_t sequence_length, bool packing,
                           uint32_t max_segments = UINT32_MAX);

}
