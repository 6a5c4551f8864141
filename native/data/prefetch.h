#pragma once

#include "data/loader.h"

#include <future>

namespace llamatune {

// A loader's steps, each filled on another thread while the caller works on the one before.
class prefetcher {
public:
    // Starts at the loader's cursor. The loader belongs to this until it is destroyed, and stands anywhere afterwards.
    // Nothing is read beyond `n_steps` steps.
    prefetcher(loader & data, uint64_t n_steps);

    // The next step, good until the next call; at most n_steps times. Throws what filling it threw.
    const step_batch & next();

    // Where the step after the one that next() gave last starts: what a checkpoint must hold, whatever was filled
    // since.
    const data_cursor & cursor() const { return current_.end; }

private:
    struct filled {
        step_batch batch;
        data_cursor end;
    };
    void begin();

    loader & data_;
    uint64_t remaining_;
    filled current_, ahead_;
    std::future<void> filling_; // last: its end waits for the thread, which writes to `ahead_`
};

}
