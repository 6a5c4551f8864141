#pragma once

#include "core/enum-names.h"
#include "data/batch.h"
#include "data/pack.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llamatune {

// How the samples of an optimizer step become micro-batches. The loss and the gradients of a step are the same for
// every layout, to rounding.
enum class batch_layout {
    padding_free, // whole samples side by side in one row, which is little longer than they are
    by_length,    // samples of similar lengths share a micro-batch, one per row: for models that cannot pack
    packed,       // several samples in each row of sequence_length tokens
    padded,       // one sample in each row of sequence_length tokens
};

inline constexpr enum_name<batch_layout> batch_layout_names[] = {{batch_layout::padding_free, "padding-free"},
                                                                 {batch_layout::by_length, "by-length"},
                                                                 {batch_layout::packed, "packed"},
                                                                 {batch_layout::padded, "padded"}};
constexpr auto & names_of(batch_layout) { return batch_layout_names; }

struct layout_options {
    batch_layout layout = batch_layout::padding_free;
    uint32_t sequence_length = 512;     // no sample is longer
    uint32_t micro_batch_tokens = 1024; // padding_free and by_length: the limit of a micro-batch, padding included
    uint32_t micro_batch_size = 1;      // packed and padded: rows of a micro-batch
};

// Are the tokens of a micro-batch limited, and not its rows?
bool has_token_budget(batch_layout layout);

// The shapes that need the most memory: no micro-batch needs more than one of them.
std::vector<batch_shape> largest_shapes(const layout_options & options);

// Tokens of a micro-batch, padding included, that can hold any n of these samples. A larger micro_batch_tokens changes
// nothing.
uint64_t tokens_of_any(size_t n, std::vector<uint32_t> lengths, const layout_options & options);

// The content of one micro-batch; samples are given by their index in the step.
struct planned_batch {
    batch_shape shape;
    std::vector<row> rows;
};

// Lays out the samples of a step, given by their lengths. Few different shapes occur, since every shape needs a graph:
// the length of a row is rounded up by at most an eighth (at least to the next multiple of 16).
std::vector<planned_batch> lay_out(const std::vector<uint32_t> & lengths, const layout_options & options);

}
