#include "core/thread-pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace llamatune {

namespace {

// Longer than the gaps between the jobs of a step, and about as long as it takes to wake a thread: a thread that spins
// in vain costs at most as much as one that sleeps too early.
constexpr std::chrono::microseconds spin_time{50};

void pause_briefly() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ volatile("yield");
#endif
}

// Returns true as soon as the condition holds, false if it does not within the time.
template <typename condition>
bool spin_until(const condition & holds) {
    const auto end = std::chrono::steady_clock::now() + spin_time;
    do {
        for (int i = 0; i < 64; i++) {
            if (holds()) return true;
            pause_briefly();
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

}

thread_pool::thread_pool(int n_threads) {
    threads_.reserve(size_t(std::max(n_threads, 1) - 1));
    try {
        for (int i = 1; i < n_threads; i++) threads_.emplace_back([this, i] { wait_for_jobs(i); });
    } catch (const std::system_error &) {
        // The threads that did start and the calling thread do all of the work.
    }
}

thread_pool::~thread_pool() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    for (std::thread & t : threads_) t.join();
}

void thread_pool::run(int64_t n_pieces, const std::function<void(int64_t, int)> & work) {
    if (n_pieces <= 1 || threads_.empty()) {
        for (int64_t i = 0; i < n_pieces; i++) work(i, 0);
        return;
    }
    work_ = &work;
    n_pieces_ = n_pieces;
    n_done_ = 0;
    failed_ = false;
    n_left_ = n_pieces; // starts the job
    if (n_asleep_ > 0) {
        const std::lock_guard<std::mutex> lock(mutex_);
        // Wake only as many threads as there are pieces for.
        for (int64_t i = 0; i < std::min<int64_t>(n_pieces - 1, n_asleep_); i++) wake_.notify_one();
    }
    take_pieces(0);
    const auto all_done = [&] { return n_done_ == n_pieces; };
    if (!spin_until(all_done)) {
        std::unique_lock<std::mutex> lock(mutex_);
        caller_asleep_ = true;
        done_.wait(lock, all_done);
        caller_asleep_ = false;
    }
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

// Takes pieces of the current job until none is left.
void thread_pool::take_pieces(int thread) {
    for (int64_t left = n_left_; left > 0; left = n_left_) {
        if (!n_left_.compare_exchange_weak(left, left - 1)) continue;
        const int64_t n_pieces = n_pieces_;
        if (!failed_) {
            try {
                (*work_)(n_pieces - left, thread);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(mutex_);
                if (!failure_) failure_ = std::current_exception();
                failed_ = true;
            }
        }
        if (++n_done_ == n_pieces && caller_asleep_) {
            const std::lock_guard<std::mutex> lock(mutex_);
            done_.notify_one();
        }
    }
}

void thread_pool::wait_for_jobs(int thread) {
    const auto has_job = [this] { return n_left_ > 0 || ending_; };
    while (!ending_) {
        if (!spin_until(has_job)) {
            std::unique_lock<std::mutex> lock(mutex_);
            n_asleep_++;
            wake_.wait(lock, has_job);
            n_asleep_--;
        }
        take_pieces(thread);
    }
}

}
