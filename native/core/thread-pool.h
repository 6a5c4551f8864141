#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace llamatune {

// Threads that take the pieces of a job one by one, so that a preempted thread delays only its own piece. Between jobs
// they spin for a few microseconds and then sleep: in a step, one small job follows the other, and waking a thread
// takes longer than many of them.
class thread_pool {
public:
    // The calling thread is one of the n_threads. The pool is smaller if the system refuses to start more threads.
    explicit thread_pool(int n_threads);
    ~thread_pool();
    thread_pool(const thread_pool &) = delete;
    thread_pool & operator=(const thread_pool &) = delete;

    int size() const { return int(threads_.size()) + 1; }

    // Calls work(piece, thread) for every piece in [0, n_pieces), thread in [0, size()), and returns when all are done.
    // The first exception stops the job and is rethrown here. Not reentrant; only one thread may call it at a time.
    void run(int64_t n_pieces, const std::function<void(int64_t piece, int thread)> & work);

private:
    void wait_for_jobs(int thread);
    void take_pieces(int thread);

    std::vector<std::thread> threads_;
    std::atomic<int64_t> n_left_{0}; // pieces of the current job that no thread has taken
    // Of the current job: valid for a thread that has taken a piece, because the job then cannot end.
    std::atomic<int64_t> n_done_{0};
    int64_t n_pieces_ = 0;
    const std::function<void(int64_t, int)> * work_ = nullptr;
    std::atomic<bool> failed_{false};
    std::exception_ptr failure_;

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::atomic<int> n_asleep_{0}; // of the pool's threads
    std::atomic<bool> caller_asleep_{false};
    std::atomic<bool> ending_{false};
};

}
