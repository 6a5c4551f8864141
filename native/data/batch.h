#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llamatune {

// The maximum number of segments in a packed micro-batch, where the padding of a row counts as one. It is llama.cpp's
// limit of sequences in a batch.
constexpr uint32_t max_segments = 256;

// The shape of a micro-batch. A graph is built for one shape.
struct batch_shape {
    uint32_t n_rows = 1;
    uint32_t sequence_length = 512; // tokens per row, padding included
    // false: a row is one sequence, and each row attends within itself, as a separate stream.
    // true: a row may hold several segments; all rows are one stream, and llama.cpp's mask keeps the segments apart.
    bool packed = false;

    int64_t n_tokens() const { return int64_t(n_rows) * sequence_length; }
    bool operator==(const batch_shape & o) const {
        return n_rows == o.n_rows && sequence_length == o.sequence_length && packed == o.packed;
    }
};

// The input of one forward and backward pass: rows of equal length, padded. Storage is reused from step to step.
struct micro_batch {
    batch_shape shape;
    uint32_t n_filled_rows = 0; // rows that hold samples; the rest, at the end, is padding only
    uint32_t n_samples = 0;
    uint32_t n_tokens = 0; // without padding

    std::vector<int32_t> tokens;     // [n_rows * sequence_length] of the shape, padding is token 0
    std::vector<int32_t> positions;  // the same size, from 0 in each segment; padding counts on
    std::vector<int32_t> segment_id; // the same size, index of the segment in its row; -1: padding

    // The positions that carry a loss, in ascending order: the logits at flat index target_position[i] predict
    // target_token[i].
    std::vector<int32_t> target_position;
    std::vector<int32_t> target_token;
    std::vector<float> target_weight; // weight of its loss, above 0
};

// The micro-batches of one optimizer step and their totals, known before the first one runs: a target's loss is divided
// by total_target_weight, however the step is split into micro-batches.
struct step_batch {
    uint64_t epoch = 0;        // 0-based
    uint64_t first_sample = 0; // place of the step's first sample in the epoch's order
    uint64_t n_samples = 0;
    bool last_of_epoch = false;
    uint64_t total_target_tokens = 0; // 0 is possible where samples have no target
    double total_target_weight = 0;
    uint64_t total_tokens = 0; // without padding

    size_t size() const { return size_; }
    const micro_batch & operator[](size_t i) const { return storage_[i]; }
    const micro_batch * begin() const { return storage_.data(); }
    const micro_batch * end() const { return storage_.data() + size_; }

    // Makes the step hold n micro-batches, keeping what they had allocated.
    void resize(size_t n) {
        if (storage_.size() < n) { storage_.resize(n); }
        size_ = n;
    }
    micro_batch & at(size_t i) { return storage_[i]; }

private:
    std::vector<micro_batch> storage_; // never shrinks: the last step of an epoch may be smaller than the next
    size_t size_ = 0;
};

}
