#pragma once

#include "data/loader.h"

#include <future>

namespace llamatune {

// Gives a loader's steps. Each is filled on another thread while the caller works on the previous one.
class prefetcher {
public:
    // Starts at the loader's cursor and reads at most `n_steps` steps. Nothing else may use the loader until this is
    // destroyed; its cursor is unspecified afterwards.
    prefetcher(loader & data, uint64_t n_steps);

    // Returns the next step, which is valid until the next call. Call it at most n_steps times. Throws the loader's
    // errors.
    const step_batch & next();

    // Allows n more steps.
    void extend(uint64_t n);

    // The start of the step after the last one that next() returned: a checkpoint stores this, whatever was prefetched.
    const data_cursor & cursor() const { return current_.end; }

private:
    struct prefetched_step {
        step_batch batch;
        data_cursor end;
    };
    void start_filling();

    loader & data_;
    uint64_t remaining_;
    prefetched_step current_, following_;
    std::future<void> filling_; // the last member: its destructor waits for the thread, which writes to `following_`
};

}
