#pragma once

#include "core/error.h"
#include "train/decision.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace llamatune {

// Passes decisions from one thread to the thread of a training that waits for them.
class decision_gate {
public:
    void answer(step_decision decision) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            decision_ = std::move(decision);
        }
        answered_.notify_all();
    }

    // Throws error ABORTED if `stop` becomes true first.
    step_decision wait(const std::atomic<bool> & stop) {
        std::unique_lock<std::mutex> lock(mutex_);
        // `stop` is set without a notification, so it is polled
        while (!decision_) {
            if (stop) throw error("ABORTED", "the run was aborted");
            answered_.wait_for(lock, std::chrono::milliseconds(50));
        }
        return *std::exchange(decision_, std::nullopt);
    }

private:
    std::mutex mutex_;
    std::condition_variable answered_;
    std::optional<step_decision> decision_;
};

}
