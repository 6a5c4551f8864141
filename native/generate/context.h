#pragma once

#include "generate/adapters.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <memory>

struct ggml_threadpool;
struct llama_context;

namespace llamatune {

struct context_options {
    int32_t n_ctx; // tokens that the cache holds
    int32_t n_batch = 512;
    int32_t n_threads = 0; // 0: all physical cores
};

// An inference context on a shared model, with adapters. It uses flash attention if the devices support it.
class inference_context {
public:
    // Throws error OUT_OF_MEMORY, UNSUPPORTED_ARCHITECTURE, NATIVE_ASSERTION, GENERATION_FAILED.
    inference_context(const std::shared_ptr<model> & base, const context_options & options,
                      const loaded_adapters * adapters, const std::atomic<bool> & stop);
    ~inference_context();
    inference_context(const inference_context &) = delete;
    inference_context & operator=(const inference_context &) = delete;

    // Runs one forward pass at the next positions, with logits of the last token only. Throws error ABORTED,
    // GENERATION_FAILED.
    void decode(const int32_t * tokens, int32_t n_tokens);
    // Runs any number of tokens, in batches of n_batch.
    void decode_all(const int32_t * tokens, size_t n_tokens);
    void clear(); // forgets all tokens

    llama_context * handle() const { return handle_; }

private:
    void check_stop() const;

    struct threads_deleter {
        void operator()(ggml_threadpool * threads) const;
    };
    using threads = std::unique_ptr<ggml_threadpool, threads_deleter>;
    static threads cpu_threads(int32_t n_threads);

    const std::atomic<bool> & stop_;
    int32_t n_batch_;
    threads threads_; // outlives the context
    llama_context * handle_ = nullptr;
};

}
