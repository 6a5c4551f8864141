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
    uint32_t micro_batch_size = 1;  // rows per micro-batch, at most 255; divides batch_size
    bool packing = false;           // several samples per row
    bool shuffle = true;            // a new order of the rows in every epoch
    uint64_t seed = 42;
};

// Throws error CONFIG_INVALID for sizes that no batch can have. Only calls that bypass the TypeScript layer get here.
void check_loader_options(const loader_options & options);

// The size of one epoch.
struct data_plan {
    uint64_t n_samples;
    uint64_t n_rows;
    uint64_t steps_per_epoch; // ceil(n_rows / batch_size)
    uint64_t n_tokens;        // without padding
    uint64_t n_target_tokens;
};

// A position in the data: the next step starts at row `row` in the order of epoch `epoch` (both from 0).
struct data_cursor {
    uint64_t epoch = 0;
    uint64_t row = 0;
};

// Divides a token file into optimizer steps, for any number of epochs. The content of a step depends only on the file,
// the options and the cursor, so a run can be resumed anywhere. The token file must outlive the loader. It is not
// thread-safe, but the caller owns the steps, so that one step may be filled on another thread while another is trained
// on.
class loader {
public:
    // Throws error CONFIG_INVALID, DATASET_EMPTY (no samples, or none with a target token), SAMPLE_TOO_LONG.
    loader(const token_file & file, const loader_options & options);

    const data_plan & plan() const { return plan_; }

    // Fills `out` with the step at the cursor and advances the cursor.
    void next(step_batch & out);

    const data_cursor & cursor() const { return cursor_; }
    // Moves the cursor. Throws error CHECKPOINT_MISMATCH unless a step of this data starts there.
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
    uint64_t read_ = 0;                 // tokens read since the last file_.forget()
};

// Gives every row once in the file's order, for evaluation.
class sequential_loader {
public:
    // Throws the errors of loader.
    sequential_loader(const token_file & file, uint32_t sequence_length, uint32_t micro_batch_size, bool packing);

    const data_plan & plan() const { return plan_; } // a "step" is one micro-batch
    // Returns false at the end of the data and then leaves `out` unchanged.
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
