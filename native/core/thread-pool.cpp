#include "core/thread-pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace llamatune {

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
    uint64_t job;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        work_ = &work;
        next_ = 0;
        n_pieces_ = n_pieces;
        failure_ = nullptr;
        job = ++job_;
    }
    // Wake only as many threads as there are pieces for.
    for (int64_t i = 0; i < std::min<int64_t>(n_pieces - 1, int64_t(threads_.size())); i++) wake_.notify_one();
    take_pieces(0, job);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return n_running_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

// Takes pieces of this job until none is left. A thread that wakes late finds no piece, or another job, and returns.
void thread_pool::take_pieces(int thread, uint64_t job) {
    std::unique_lock<std::mutex> lock(mutex_);
    while (job == job_ && next_ < n_pieces_) {
        const int64_t piece = next_++;
        const auto * work = work_;
        n_running_++;
        lock.unlock();
        std::exception_ptr failure;
        try {
            (*work)(piece, thread);
        } catch (...) { failure = std::current_exception(); }
        lock.lock();
        if (failure) {
            next_ = n_pieces_;
            if (!failure_) failure_ = failure;
        }
        if (--n_running_ == 0) done_.notify_all();
    }
}

void thread_pool::wait_for_jobs(int thread) {
    uint64_t seen = 0;
    while (true) {
        {
            std::unique_lock<std::mutex> lock(mutex_);
            wake_.wait(lock, [&] { return ending_ || (job_ != seen && next_ < n_pieces_); });
            if (ending_) return;
            seen = job_;
        }
        take_pieces(thread, seen);
    }
}

}
