#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace llamatune {

// Threads that sleep between jobs and take a job's pieces one by one. A thread that the system holds up delays its own
// piece and no other, and none of them spins: on a busy machine that costs a fraction of what a barrier does.
class thread_pool {
public:
    explicit thread_pool(int n_threads); // the calling thread is one of them
    ~thread_pool();
    thread_pool(const thread_pool &) = delete;
    thread_pool & operator=(const thread_pool &) = delete;

    int size() const { return int(threads_.size()) + 1; }

    // Calls work(piece, thread) for every piece in [0, n_pieces), thread in [0, size()); returns when all are done and
    // rethrows the first exception. Not reentrant; for one caller at a time.
    void run(int64_t n_pieces, const std::function<void(int64_t piece, int thread)> & work);

private:
    void live(int thread);
    void take(int thread, uint64_t job);

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    uint64_t job_ = 0; // number of the current job; 0: none yet
    int64_t next_ = 0;
    int64_t n_pieces_ = 0;
    int64_t remaining_ = 0;
    bool ending_ = false;
    std::exception_ptr failure_;
    const std::function<void(int64_t, int)> * work_ = nullptr;
};

}
