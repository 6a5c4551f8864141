#include "binding/event-queue.h"

namespace llamatune::binding {

void event_queue::push(js_maker event) {
    std::unique_lock<std::mutex> lock(mutex_);
    not_full_.wait(lock, [&] { return open_ || events_.size() < capacity_; });
    if (events_.size() < capacity_) events_.push_back(std::move(event));
}

std::deque<js_maker> event_queue::drain() {
    std::deque<js_maker> taken;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        taken.swap(events_);
    }
    not_full_.notify_one();
    return taken;
}

void event_queue::open() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        open_ = true;
    }
    not_full_.notify_all();
}

}
