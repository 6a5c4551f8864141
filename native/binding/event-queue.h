#pragma once

#include "binding/node.h"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace llamatune::binding {

// A bounded queue from a run's thread (producer) to JavaScript (consumer). The producer waits while the queue is full,
// so a slow consumer slows the run down instead of filling the memory; the consumer never waits. After open() (the run
// was aborted or its environment shuts down) the producer no longer waits, and events that do not fit are dropped.
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
