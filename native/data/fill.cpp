#include "data/fill.h"

#include <algorithm>
#include <numeric>

namespace llamatune {

void clear_batch(micro_batch & out, const batch_shape & shape) {
    const size_t n = (size_t)shape.n_tokens();
    out.shape = shape;
    out.n_filled_rows = 0;
    out.n_samples = 0;
    out.n_tokens = 0;
    out.tokens.assign(n, 0);
    out.segment_id.assign(n, -1);
    out.positions.resize(n);
    for (uint32_t i = 0; i < shape.n_rows; i++) {
        const auto begin = out.positions.begin() + (ptrdiff_t)i * shape.sequence_length;
        std::iota(begin, begin + shape.sequence_length, 0);
    }
    out.target_position.clear();
    out.target_token.clear();
    out.target_weight.clear();
    out.target_position.reserve(n);
    out.target_token.reserve(n);
    out.target_weight.reserve(n);
}

void fill_row(micro_batch & out, const row & r, const token_file & file) {
    const size_t row_begin = (size_t)out.n_filled_rows++ * out.shape.sequence_length;
    size_t at = row_begin; // flat index of the next token
    for (size_t id = 0; id < r.segments.size(); id++) {
        const segment & s = r.segments[id];
        const token_file::sample sample = file.at(s.sample);
        at = row_begin + s.begin;
        std::copy(sample.tokens, sample.tokens + s.length, out.tokens.begin() + (ptrdiff_t)at);
        std::fill_n(out.segment_id.begin() + (ptrdiff_t)at, s.length, (int32_t)id);
        std::iota(out.positions.begin() + (ptrdiff_t)at, out.positions.begin() + (ptrdiff_t)(at + s.length), 0);
        // The token at i is predicted at i - 1, so the first token of a segment is not a target.
        for (uint32_t i = 1; i < s.length; i++) {
            if (const float weight = sample.weight(i); weight > 0) {
                out.target_position.push_back((int32_t)(at + i - 1));
                out.target_token.push_back(sample.tokens[i]);
                out.target_weight.push_back(weight);
            }
        }
        at += s.length;
        out.n_samples++;
        out.n_tokens += s.length;
    }
    const int32_t next = r.segments.empty() ? 0 : (int32_t)r.segments.back().length;
    std::iota(out.positions.begin() + (ptrdiff_t)at,
              out.positions.begin() + (ptrdiff_t)(row_begin + out.shape.sequence_length), next);
}

}
