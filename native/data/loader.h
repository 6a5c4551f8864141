#pragma once

#include "data/batch.h"
#include "data/layout.h"
#include "data/token-file.h"

#include <cstdint>
#include <vector>

namespace llamatune {

struct loader_options {
    uint32_t batch_size = 8; // samples per optimizer step
    layout_options layout;
    bool shuffle = true; // a new order of the samples in every epoch
    uint64_t seed = 42;
};

// Throws error CONFIG_INVALID for sizes that no batch can have. Only calls that bypass the TypeScript layer get here.
void check_loader_options(const loader_options & options);

// The size of one epoch.
struct data_plan {
    uint64_t n_samples;
    uint64_t steps_per_epoch; // ceil(n_samples / batch_size)
    uint64_t n_tokens;        // without padding
    uint64_t n_target_tokens;
    uint64_t longest_sample; // tokens
    uint64_t largest_step;   // tokens of a micro-batch that can hold any step
};

// A position in the data: the next step starts at this sample in the order of the epoch (both from 0).
struct data_cursor {
    uint64_t epoch = 0;
    uint64_t sample = 0;
};

// Divides a token file into optimizer steps, for any number of epochs. The content of a step depends only on the file,
// the options and the cursor, so a run can be resumed anywhere. The token file must outlive the loader. It is not
// thread-safe, but the caller owns the steps, so that one step may be filled on another thread while another is trained
// on.
class loader {
public:
    // Throws error DATASET_EMPTY (no samples, or none with a target token), SAMPLE_TOO_LONG.
    loader(const token_file & file, const loader_options & options);

    const data_plan & plan() const { return plan_; }

    // Fills `out` with the step at the cursor and advances the cursor.
    void next(step_batch & out);

    const data_cursor & cursor() const { return cursor_; }
    // Moves the cursor to a step, counted from 0 over all epochs.
    void seek(uint64_t step);

private:
    void prepare_order(uint64_t epoch);

    const token_file & file_;
    loader_options options_;
    std::vector<uint32_t> lengths_; // of the samples
    data_plan plan_;
    data_cursor cursor_;
    std::vector<uint32_t> order_;       // samples in the order of epoch order_epoch_
    uint64_t order_epoch_ = UINT64_MAX; // none yet
    uint64_t read_ = 0;                 // tokens read since the last file_.forget()
};

}
