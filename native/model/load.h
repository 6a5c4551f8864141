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
    int32_t gpu_layers = 0;                                 // how many of the last layers are on `devices`; -1: all
    std::optional<std::vector<ggml_backend_dev_t>> devices; // in layer order; not set: every GPU of this machine
    std::vector<float> tensor_split; // fraction of layers per device, in device order; empty: by free memory
    std::vector<placement_rule> placement;
    bool use_mmap = true;                // false for full-parameter training: the weights are written to
    bool repack = false;                 // pack weights for the CPU: faster inference, but they cannot be trained
    bool vocabulary_only = false;        // no weights and no hyperparameters: only the tokenizer and the metadata
    std::function<bool(float)> progress; // 0..1; returning false cancels (error code "ABORTED")
};

// A loaded GGUF model, shared by training, generation and benchmarks. It is thread-safe: weights are read-only, and
// `mutex()` guards llama.cpp's list of the model's adapters, the only mutable part.
class model {
public:
    // Throws error: MODEL_NOT_FOUND, MODEL_UNREADABLE, NOT_A_GGUF, MODEL_TRUNCATED, MODEL_UNSUPPORTED (no weights
    // without vocabulary_only, an unknown architecture), MODEL_IS_ADAPTER, MODEL_INVALID (hyperparameters),
    // MODEL_LOAD_FAILED, PLACEMENT_INVALID, OUT_OF_MEMORY, ABORTED, RPC_SERVER_LOST, NATIVE_ASSERTION.
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
