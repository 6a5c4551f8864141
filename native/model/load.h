#pragma once

#include "model/placement.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct llama_model;

namespace llamatune {

struct load_options {
    std::string path;
    int32_t gpu_layers = 0;                                 // of the last layers, on `devices`; -1: all
    std::optional<std::vector<ggml_backend_dev_t>> devices; // one after the other; not set: every GPU of this machine
    std::vector<float> tensor_split; // part of the layers for each device; empty: by their free memory
    std::vector<placement_rule> placement;
    bool use_mmap = true;                // false for full-parameter training: the weights are written to
    bool repack = false;                 // weights in the CPU's packed layouts: faster inference, cannot be trained
    std::function<bool(float)> progress; // 0..1; returning false cancels (error code "ABORTED")
};

// A loaded GGUF model, shared by training, generation and benchmarks. Thread-safe: weights are read-only, and
// llama.cpp's list of adapters in a model, the only thing that changes, is guarded by `mutex()`.
class model {
public:
    // Throws error: MODEL_NOT_FOUND, MODEL_UNREADABLE, NOT_A_GGUF, MODEL_TRUNCATED, MODEL_UNSUPPORTED (a bare
    // vocabulary, an unknown architecture), MODEL_IS_ADAPTER, MODEL_INVALID (hyperparameters), MODEL_LOAD_FAILED,
    // PLACEMENT_INVALID, OUT_OF_MEMORY, ABORTED, RPC_SERVER_LOST, NATIVE_ASSERTION.
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
