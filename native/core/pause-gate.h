#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace llamatune {

// Lets one thread pause another one, which calls wait() where it can pause.
class pause_gate {
public:
    void close() { set(true); }
    void open() { set(false); }

    bool closed() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return closed_;
    }

    // Returns when the gate is open or `stop` is true.
    void wait(const std::atomic<bool> & stop) {
        std::unique_lock<std::mutex> lock(mutex_);
        // `stop` is set without a notification, so it is polled
        while (closed_ && !stop) changed_.wait_for(lock, std::chrono::milliseconds(50));
    }

private:
    void set(bool closed) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            closed_ = closed;
        }
        changed_.notify_all();
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool closed_ = false;
};

}
