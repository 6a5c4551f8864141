#include "data/prefetch.h"

#include <utility>

namespace llamatune {

prefetcher::prefetcher(loader & data, uint64_t n_steps) : data_(data), remaining_(n_steps) {
    current_.end = data.cursor();
    begin();
}

void prefetcher::begin() {
    if (remaining_ == 0) return;
    remaining_--;
    // Where the system has no thread to spare, it is filled when it is asked for.
    filling_ = std::async(std::launch::async | std::launch::deferred, [this] {
        data_.next(ahead_.batch);
        ahead_.end = data_.cursor();
    });
}

const step_batch & prefetcher::next() {
    filling_.get();
    std::swap(current_, ahead_);
    begin();
    return current_.batch;
}

}
