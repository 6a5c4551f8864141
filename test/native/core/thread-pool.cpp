#include "core/thread-pool.h"

#include "core/error.h"
#include "harness.h"

#include <atomic>
#include <chrono>
#include <thread>

using namespace llamatune;

TEST("core/thread-pool: each job runs every piece once, on threads of the pool") {
    for (int n_threads : {1, 2, 5}) {
        thread_pool pool(n_threads);
        CHECK_EQ(pool.size(), n_threads);
        for (int64_t n : {0, 1, 2, 7, 100}) {
            for (int repeat = 0; repeat < 50; repeat++) {
                std::vector<std::atomic<int>> done(static_cast<size_t>(n));
                std::atomic<bool> known{true};
                pool.run(n, [&](int64_t piece, int thread) {
                    done[size_t(piece)]++;
                    if (thread < 0 || thread >= n_threads) known = false;
                });
                for (const auto & count : done) CHECK_EQ(count.load(), 1);
                CHECK(known);
            }
        }
    }
}

TEST("core/thread-pool: jobs wake threads that sleep and the caller that waits for a slow piece") {
    using std::chrono::milliseconds;
    thread_pool pool(3);
    for (int repeat = 0; repeat < 5; repeat++) {
        std::this_thread::sleep_for(milliseconds(2));
        std::atomic<int> n{0}, n_others{0};
        pool.run(3, [&](int64_t, int thread) {
            n_others += thread != 0;
            // the caller keeps its piece until the other threads have theirs, and then waits for them
            while (thread == 0 && n_others < 2) std::this_thread::yield();
            if (thread != 0) std::this_thread::sleep_for(milliseconds(3));
            n++;
        });
        CHECK_EQ(n.load(), 3);
        CHECK_EQ(n_others.load(), 2);
    }
}

TEST("core/thread-pool: an exception stops the job and reaches the caller, and the next job runs") {
    thread_pool pool(3);
    std::atomic<int> n{0};
    CHECK_ERROR("TEST", pool.run(1000, [&](int64_t piece, int) {
        n++;
        if (piece == 4) throw llamatune::error("TEST", "a piece failed");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }));
    CHECK(n < 1000);
    n = 0;
    pool.run(10, [&](int64_t, int) { n++; });
    CHECK_EQ(n.load(), 10);
}
