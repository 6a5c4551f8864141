#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace llamatune {

// A prompt with the seed of each of its samples.
struct prompt {
    int64_t index = 0;
    std::vector<int32_t> tokens;
    std::vector<uint64_t> seeds;
};

template <class V>
void fields(V & v, prompt & p) {
    v("index", p.index);
    v("tokens", p.tokens);
    v("seeds", p.seeds);
}

// Prompts and cancellations on their way to the thread that generates. Thread-safe.
class prompt_queue {
public:
    struct cancellation {
        int64_t prompt_index;
        int32_t sample_index; // -1: all samples
    };
    struct content {
        std::vector<prompt> prompts;
        std::vector<cancellation> cancellations;
        bool closed = false; // nothing more will come
    };

    void add(prompt p);
    void cancel(cancellation c);
    void close();

    // Takes everything that was added. With `wait`, returns when there is something, the queue is closed, or `stop` is
    // set.
    content take(bool wait, const std::atomic<bool> & stop);

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    content content_;
};

}
