#include "core/parallel.h"

#include "core/abort-guard.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace llamatune {

void parallel_for(int64_t n, int32_t n_threads, const std::function<void(int64_t)> & run) {
    std::atomic<int64_t> next{0};
    std::exception_ptr thrown;
    std::mutex mutex;
    const auto work = [&] {
        const abort_guard guard;
        try {
            for (int64_t i; (i = next++) < n;) run(i);
        } catch (...) {
            next = n;
            const std::lock_guard<std::mutex> lock(mutex);
            if (!thrown) thrown = std::current_exception();
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(n_threads > 1 ? size_t(n_threads - 1) : 0);
    try {
        for (int32_t t = 1; t < n_threads && t < n; t++) threads.emplace_back(work);
    } catch (const std::system_error &) {
        // the system gives no more threads: those that run do all of the work
    }
    work();
    for (auto & thread : threads) thread.join();
    if (thrown) std::rethrow_exception(thrown);
}

}
