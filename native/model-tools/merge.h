#pragma once

#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace llamatune {

struct merge_options {
    std::string adapter;   // GGUF file
    std::string output;    // GGUF file
    std::string type;      // "same": each weight keeps its type; else as for quantize_model
    int32_t n_threads = 0; // 0: all physical cores
};

template <class V>
void fields(V & v, merge_options & o) {
    v("adapter", o.adapter);
    v("output", o.output);
    v("type", o.type);
    v("threads", o.n_threads);
}

// Sent after each weight is written.
struct merge_progress {
    int64_t done;  // weights
    int64_t total; // of them
};

template <class V>
void fields(V & v, merge_progress & p) {
    v.type("progress");
    v("done", p.done);
    v("total", p.total);
}

struct merge_result {
    // How much of the adapter's update D = alpha / rank * B A is in the stored weights: the mean of (stored - W) * D,
    // divided by that of D * D. 1 if nothing was lost, 0 if rounding to a coarse type removed it.
    double kept_update;
};

template <class V>
void fields(V & v, merge_result & r) {
    v("keptUpdate", r.kept_update);
}

// Writes the model with the adapter added to its weights (W + alpha / rank * B A), weight by weight, so that it may be
// larger than memory, and atomically. The weights are read from the files that `base` was loaded from. Throws error
// ADAPTER_MISMATCH and the other errors of adapter files, UNKNOWN_WEIGHT_TYPE, MERGE_UNSUPPORTED, OUTPUT_CONFLICT,
// OUTPUT_NOT_WRITABLE, ABORTED.
merge_result merge_adapter(const std::shared_ptr<model> & base, const merge_options & options,
                           const std::function<void(const merge_progress &)> & progress,
                           const std::atomic<bool> & stop);

}
