#include "data/prefetch.h"

#include <utility>

namespace llamatune {

prefetcher::prefetcher(loader & data, uint64_t n_steps) : data_(data), remaining_(n_steps) {
    current_.end = data.cursor();
    start_filling();
}

void prefetcher::start_filling() {
    if (remaining_ == 0) return;
    remaining_--;
    // If the system cannot start a thread, the step is filled by next().
    filling_ = std::async(std::launch::async | std::launch::deferred, [this] {
        data_.next(following_.batch);
        following_.end = data_.cursor();
    });
}

void prefetcher::extend(uint64_t n) {
    const bool waits = remaining_ == 0 && !filling_.valid();
    remaining_ += n;
    if (waits) start_filling();
}

const step_batch & prefetcher::next() {
    filling_.get();
    std::swap(current_, following_);
    start_filling();
    return current_.batch;
}

}
