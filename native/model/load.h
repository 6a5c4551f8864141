#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

struct llama_model;

namespace llamatune {

struct load_options {
    std::string path;
    int32_t gpu_layers = 0;              // -1: all
    bool use_mmap = true;                // false for full-parameter training: the weights are written to
    bool repack = false;                 // weights in the CPU's packed layouts: faster inference, cannot be trained
    std::function<bool(float)> progress; // 0..1; returning false cancels (error code "ABORTED")
};

// A loaded GGUF model, shared by trainers, generators and benches. Thread-safe: weights are read-only here, and what
// llama.cpp mutates in a model (its adapter list) is guarded by `mutex()`.
class model {
public:
    // Throws error: MODEL_NOT_FOUND, MODEL_UNREADABLE, NOT_A_GGUF, MODEL_TRUNCATED, MODEL_UNSUPPORTED (an adapter, a
    // bare vocabulary, an unknown architecture), MODEL_LOAD_FAILED, OUT_OF_MEMORY, ABORTED, NATIVE_ASSERTION.
    static std::shared_ptr<model> load(const load_options & options);
    ~model();

    llama_model * handle() const { return handle_; }
    const load_options & options() const { return options_; }
    std::mutex & mutex() const { return mutex_; }

private:
    model(llama_model * handle, load_options options) : handle_(handle), options_(std::move(options)) {}

    llama_model * handle_;
    load_options options_;
    mutable std::mutex mutex_;
};

}
