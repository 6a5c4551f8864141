#pragma once

#include "binding/node.h"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace llamatune::binding {

// Bounded queue from a run's thread (producer) to JavaScript (consumer). The producer waits while it is full, so a slow
// consumer slows the run instead of filling the memory; the consumer never waits. Once opened (the run was aborted or
// its environment is going away) nobody waits any more and what does not fit is dropped.
class event_queue {
public:
    explicit event_queue(size_t capacity) : capacity_(capacity) {}

    void push(js_maker event);
    std::deque<js_maker> drain();
    void open();

private:
    const size_t capacity_;
    std::mutex mutex_;
    std::condition_variable not_full_;
    std::deque<js_maker> events_;
    bool open_ = false;
};

}
