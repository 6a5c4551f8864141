#pragma once

#include "core/ggml-ptr.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

struct ggml_threadpool;

namespace llamatune {

// The devices that a training graph runs on: those with weights of the model, and the CPU for ops that they lack.
class compute {
public:
    // n_threads 0: every usable physical core. `precision` of an accelerator for products: "f32" or "bf16".
    compute(const model & base, int32_t n_threads, const char * precision = "f32");
    ~compute();
    compute(const compute &) = delete;
    compute & operator=(const compute &) = delete;

    // GPUs of the model first, the CPU last.
    const std::vector<ggml_backend_dev_t> & devices() const { return devices_; }
    bool on_host() const; // do all of them compute in host memory?
    ggml_backend_buffer_type_t host_buffer_type() const;
    // Of the device that holds the output matrix, for the tensors that the loss reads.
    ggml_backend_buffer_type_t output_buffer_type() const { return ggml_backend_dev_buffer_type(output_); }
    int32_t n_threads() const { return n_threads_; }

    // A scheduler for graphs of up to n_tensors nodes, weights and inputs. It must not outlive this object.
    ggml_backend_sched_ptr new_scheduler(size_t n_tensors) const;

    // Tells devices that can skip padding which blocks of 64 of the micro-batch's tokens are padding only; no blocks:
    // skip nothing.
    void set_padding(const std::vector<uint8_t> & blocks, int64_t n_tokens) const;

    // While set, a running graph ends early (GGML_STATUS_ABORTED) once the flag turns true.
    void set_stop(const std::atomic<bool> * stop);

private:
    std::vector<ggml_backend_dev_t> devices_;
    ggml_backend_dev_t output_ = nullptr;
    std::vector<ggml_backend_ptr> backends_;
    ggml_threadpool * threads_ = nullptr;
    void (*free_threads_)(ggml_threadpool *) = nullptr;
    int32_t n_threads_;
};

// One compute of an allocated graph. Throws error ABORTED (the stop flag) or COMPUTE_FAILED.
void run_graph(ggml_backend_sched_t scheduler, ggml_cgraph * graph);
// Allocates the graph's buffers once; throws error OUT_OF_MEMORY.
void allocate_graph(ggml_backend_sched_t scheduler, ggml_cgraph * graph, const char * what);

}
