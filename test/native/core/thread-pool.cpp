#include "core/thread-pool.h"

#include "core/error.h"
#include "harness.h"

#include <atomic>

using namespace llamatune;

TEST("core/thread-pool: every piece once, on threads of the pool, job after job") {
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

TEST("core/thread-pool: an exception reaches the caller, and the pool goes on") {
    thread_pool pool(3);
    CHECK_ERROR("TEST", pool.run(10, [](int64_t piece, int) {
        if (piece == 4) throw llamatune::error("TEST", "a piece failed");
    }));
    std::atomic<int> n{0};
    pool.run(10, [&](int64_t, int) { n++; });
    CHECK_EQ(n.load(), 10);
}
