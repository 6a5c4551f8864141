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

// These functions distribute samples, given by their lengths, over rows. Each sample stays whole. The result depends
// only on the arguments: rows are ordered by their first sample, and the samples of a row by index.

// Gives each sample its own row.
std::vector<row> one_row_each(const std::vector<uint32_t> & lengths);

// Fills rows of `sequence_length` tokens: each sample, longest first, goes into the fullest row that it fits
// (best-fit decreasing, arXiv 2107.02027). A row holds at most `max_segments` samples. O(n log n). No sample may be
// longer than sequence_length.
std::vector<row> pack_rows(const std::vector<uint32_t> & lengths, uint32_t sequence_length, uint32_t max_segments);

// Divides the samples into as few rows of at most `max_tokens` as possible, with similar numbers of tokens: each
// sample, longest first, goes into the row with the fewest tokens. A row holds at most `max_segments` samples. No
// sample may be longer than max_tokens.
std::vector<row> balanced_rows(const std::vector<uint32_t> & lengths, uint32_t max_tokens, uint32_t max_segments);

}
