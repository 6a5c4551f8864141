#pragma once

#include "core/pause-gate.h"
#include "model/load.h"
#include "train/decision.h"
#include "train/event.h"
#include "train/options.h"

#include <atomic>
#include <memory>

namespace llamatune {

// Computes the number of rows and steps for a dataset with these options (learning_rates is not needed).
// Throws error DATASET_EMPTY, SAMPLE_TOO_LONG, TOKEN_FILE_INVALID.
train_plan plan_training(const train_options & options);

// The memory that training needs, computed without allocating the graph's buffers.
struct memory_estimate {
    uint64_t weights_bytes;
    uint64_t adapter_bytes;      // trained tensors, except weights of the model, and all gradients
    uint64_t optimizer_bytes;    // the state of the optimizer, and its compute buffers
    uint64_t activation_bytes;   // the step's compute buffers, and the scratch memory of kernels
    uint64_t graph_bytes;        // the structures that describe the graphs
    uint64_t weight_cache_bytes; // with options.weight_cache: frozen weights in the layout that products read
    uint64_t process_bytes;      // the rest of the process: Node.js, program code, the tokenizer; not the weights
    uint64_t total_bytes;        // the sum
};

template <class V>
void fields(V & v, memory_estimate & m) {
    v("weightsBytes", m.weights_bytes);
    v("adapterBytes", m.adapter_bytes);
    v("optimizerBytes", m.optimizer_bytes);
    v("activationBytes", m.activation_bytes);
    v("graphBytes", m.graph_bytes);
    v("weightCacheBytes", m.weight_cache_bytes);
    v("processBytes", m.process_bytes);
    v("totalBytes", m.total_bytes);
}

memory_estimate estimate_memory(const std::shared_ptr<model> & base, const train_options & options);

// Runs the whole training on the calling thread. `stop` is polled at least once per micro-batch; when it becomes true,
// the run ends after the current micro-batch, writes a checkpoint if there is a folder for them, but no output, and
// throws error ABORTED. `pause` (may be null) stops the run between two steps while it is closed. `decide` makes the
// decisions of a run with options.adaptive. Throws error:
// UNSUPPORTED_OP, GRAPH_UNSUPPORTED, NO_TARGETS, TARGET_UNKNOWN, TARGET_UNSUPPORTED, TOKEN_OUT_OF_RANGE, OUT_OF_MEMORY,
// NON_FINITE_LOSS, OUTPUT_NOT_WRITABLE, ADAPTER_MISMATCH, CHECKPOINT_…, NATIVE_ASSERTION, …
train_result run_training(const std::shared_ptr<model> & base, const train_options & options,
                          const event_sink & on_event, const std::atomic<bool> & stop, pause_gate * pause = nullptr,
                          const decision_source & decide = {});

}
