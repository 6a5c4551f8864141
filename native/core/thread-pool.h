#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace llamatune {

// Threads that sleep between jobs and take the pieces of a job one by one. A preempted thread delays only its own
// piece, and no thread spins, so that on a busy machine this costs a fraction of a barrier.
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
    void take_pieces(int thread, uint64_t job);

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    uint64_t job_ = 0; // number of the current job; 0: none yet
    int64_t next_ = 0;
    int64_t n_pieces_ = 0;
    int64_t n_running_ = 0; // pieces that a thread has taken and not finished
    bool ending_ = false;
    std::exception_ptr failure_;
    const std::function<void(int64_t, int)> * work_ = nullptr;
};

}
