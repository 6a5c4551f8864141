#pragma once

#include "core/ggml-ptr.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

struct ggml_threadpool;

namespace llamatune {

// The devices that a training graph runs on: the devices that hold weights, accelerators, and the CPU for ops that they
// do not support.
class compute {
public:
    // n_threads = 0 uses all physical cores. `precision` is that of matrix products, "f32" or "bf16", on accelerators
    // and on GPUs that let the graph choose it (core/matmul-type).
    compute(const model & base, int32_t n_threads, const char * precision = "f32");
    ~compute();
    compute(const compute &) = delete;
    compute & operator=(const compute &) = delete;

    // The model's GPUs come first, the CPU last.
    const std::vector<ggml_backend_dev_t> & devices() const { return devices_; }
    bool on_host() const; // do all of them compute in host memory?
    // Memory of the CPU that a GPU, if there is one, copies from at full speed.
    ggml_backend_buffer_type_t host_buffer_type() const;
    // The buffer type of the device that holds the output matrix, for the tensors that the loss reads.
    ggml_backend_buffer_type_t output_buffer_type() const { return ggml_backend_dev_buffer_type(output_); }
    int32_t n_threads() const { return n_threads_; }

    // Does a GPU multiply in F16, whose range is too small for gradients? True unless it can be asked for another type.
    bool rounds_to_f16() const;

    // Are there GPUs, and do all of them multiply in the type that they are asked for? They have tensor cores: kernels
    // are so short that graphs should have few of them.
    bool multiplies_as_asked() const { return !on_host() && !rounds_to_f16(); }

    // Asks the GPUs for the precision in all products of a graph that is not allocated yet. Does nothing on other
    // devices.
    void set_precision(ggml_cgraph * graph) const;

    // Makes a scheduler for graphs of up to n_tensors nodes, weights and inputs. It must not outlive this object.
    ggml_backend_sched_ptr new_scheduler(size_t n_tensors) const;

    // Tells devices that can skip padding which blocks of 64 tokens of the micro-batch contain only padding. An empty
    // list skips nothing.
    void set_padding(const std::vector<uint8_t> & blocks, int64_t n_tokens) const;

    // The scratch memory that the devices' kernels need for a graph, besides the graph's own tensors.
    size_t scratch_bytes(ggml_cgraph * graph) const;

    // Lets devices that can do so keep the weights of the model in the layout that their products read, from their
    // first use on. Only if no weight of the model is trained: a kept weight is not read again.
    void set_weight_cache(bool on) const;
    // The memory of the weights that are kept now, and of those that would be kept for a graph.
    size_t weight_cache_bytes() const;
    size_t needed_weight_cache_bytes(ggml_cgraph * graph) const;

    // While a flag is set here, a running graph ends early (GGML_STATUS_ABORTED) once the flag becomes true.
    void set_stop(const std::atomic<bool> * stop);

    // While it lives, graphs run to their end: one that changes tensors in place must not leave some of them unchanged.
    class uninterrupted {
    public:
        explicit uninterrupted(const compute & devices) : devices_(devices) { devices_.pass_stop(nullptr); }
        ~uninterrupted() { devices_.pass_stop(devices_.stop_); }
        uninterrupted(const uninterrupted &) = delete;
        uninterrupted & operator=(const uninterrupted &) = delete;

    private:
        const compute & devices_;
    };

private:
    size_t sum_of(const char * name, ggml_cgraph * graph) const; // over the devices that have this procedure
    void pass_stop(const std::atomic<bool> * stop) const;

    std::vector<ggml_backend_dev_t> devices_;
    ggml_backend_dev_t output_ = nullptr;
    ggml_type factors_ = GGML_TYPE_COUNT; // of the GPUs' products; GGML_TYPE_COUNT: the back end chooses
    std::vector<ggml_backend_ptr> backends_;
    ggml_threadpool * threads_ = nullptr;
    void (*free_threads_)(ggml_threadpool *) = nullptr;
    int32_t n_threads_;
    const std::atomic<bool> * stop_ = nullptr;
};

}
