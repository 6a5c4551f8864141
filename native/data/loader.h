#pragma once

#include "data/batch.h"
#include "data/pack.h"
#include "data/token-file.h"

#include <cstdint>
#include <vector>

namespace llamatune {

struct loader_options {
    uint32_t sequence_length = 512; // tokens per row, at least 2
    uint32_t batch_size = 8;        // rows per optimizer step
    uint32_t micro_batch_size = 1;  // rows per micro-batch; divides batch_size
    bool packing = false;           // several samples per row
    bool shuffle = true;            // a new order of the rows in every epoch
    uint64_t seed = 42;
};

// What one epoch is made of.
struct data_plan {
    uint64_t n_samples;
    uint64_t n_rows;
    uint64_t steps_per_epoch; // ceil(n_rows / batch_size)
    uint64_t n_tokens;        // without padding
    uint64_t n_target_tokens;
};

// Where training stands in the data: the next step starts at row `row` of the order of epoch `epoch` (both from 0).
struct data_cursor {
    uint64_t epoch = 0;
    uint64_t row = 0;
};

// Cuts a token file into optimizer steps, epoch after epoch without end. What a step holds depends on nothing but the
// file, the options and the cursor, so a run can be resumed anywhere. Reads the token file, which must outlive it; not
// thread-safe, but the steps are the caller's, so that one may be filled on another thread while one is trained on.
class loader {
public:
    // Throws error CONFIG_INVALID, DATASET_EMPTY (no samples, or none with a target token), SAMPLE_TOO_LONG.
    loader(const token_file & file, const loader_options & options);

    const data_plan & plan() const { return plan_; }

    // Fills `out` with the step at the cursor and moves on.
    void next(step_batch & out);

    const data_cursor & cursor() const { return cursor_; }
    // Throws error CHECKPOINT_MISMATCH unless a step of this data starts there.
    void seek(const data_cursor & cursor);

private:
    void prepare_order(uint64_t epoch);

    const token_file & file_;
    loader_options options_;
    std::vector<row> rows_;
    data_plan plan_;
    data_cursor cursor_;
    std::vector<uint32_t> order_;       // rows in the order of epoch order_epoch_
    uint64_t order_epoch_ = UINT64_MAX; // none yet
    uint64_t read_ = 0;                 // tokens since the file was last forgotten
};

// Every row once in the file's order, for evaluation.
class sequential_loader {
public:
    // Throws as loader does.
    sequential_loader(const token_file & file, uint32_t sequence_length, uint32_t micro_batch_size, bool packing);

    const data_plan & plan() const { return plan_; } // a "step" is one micro-batch
    // False at the end of the data, which leaves `out` as it was.
    bool next(micro_batch & out);
    void rewind() { row_ = 0; }

private:
    const token_file & file_;
    uint32_t sequence_length_;
    uint32_t micro_batch_size_;
    std::vector<row> rows_;
    data_plan plan_;
    size_t row_ = 0;
};

}
