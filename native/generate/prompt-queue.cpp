#include "generate/prompt-queue.h"

#include <chrono>
#include <utility>

namespace llamatune {

void prompt_queue::add(prompt p) {
    const std::lock_guard<std::mutex> lock(mutex_);
    content_.prompts.push_back(std::move(p));
    changed_.notify_one();
}

void prompt_queue::cancel(cancellation c) {
    const std::lock_guard<std::mutex> lock(mutex_);
    content_.cancellations.push_back(c);
    changed_.notify_one();
}

void prompt_queue::close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    content_.closed = true;
    changed_.notify_one();
}

prompt_queue::content prompt_queue::take(bool wait, const std::atomic<bool> & stop) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto ready = [&] {
        return content_.closed || !content_.prompts.empty() || !content_.cancellations.empty() || stop;
    };
    // `stop` is set without a notification, so it is read several times a second.
    while (wait && !ready()) changed_.wait_for(lock, std::chrono::milliseconds(20));
    content taken = std::move(content_);
    content_ = {};
    content_.closed = taken.closed;
    return taken;
}

}
