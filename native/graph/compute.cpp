#include "graph/compute.h"

#include "core/cpu.h"
#include "core/error.h"
#include "core/matmul-type.h"

#include "llama-model.h"

#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <algorithm>
#include <cstring>

namespace llamatune {

namespace {

template <typename Function>
Function procedure(ggml_backend_dev_t device, const char * name) {
    return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), name));
}

using set_n_threads_fn = void (*)(ggml_backend_t, int);
using threadpool_new_fn = ggml_threadpool * (*)(ggml_threadpool_params *);
using threadpool_free_fn = void (*)(ggml_threadpool *);
using set_threadpool_fn = void (*)(ggml_backend_t, ggml_threadpool *);
using set_padding_fn = void (*)(ggml_backend_t, const uint8_t *, int64_t, int64_t);
using graph_bytes_fn = size_t (*)(ggml_backend_t, ggml_cgraph *);
using set_weight_cache_fn = void (*)(ggml_backend_t, bool);
using set_abort_callback_fn = void (*)(ggml_backend_t, ggml_abort_callback, void *);

// Devices without weights are excluded, so that a model on the CPU alone keeps the CPU kernels.
bool holds_weights(const model & base, ggml_backend_dev_t device) {
    const auto & weights = base.handle()->tensors_by_name;
    return std::any_of(weights.begin(), weights.end(), [&](const auto & named) {
        if (!named.second->buffer || ggml_backend_buffer_is_host(named.second->buffer)) return false;
        return ggml_backend_buft_get_device(ggml_backend_buffer_get_type(named.second->buffer)) == device;
    });
}

// Returns the device of the output matrix, whose products the loss computes, or `cpu` if the matrix is in host memory
// or its device does not run the graph.
ggml_backend_dev_t output_device(const model & base, const std::vector<ggml_backend_dev_t> & devices,
                                 ggml_backend_dev_t cpu) {
    const ggml_tensor * output = base.handle()->output;
    if (!output || !output->buffer || ggml_backend_buffer_is_host(output->buffer)) return cpu;
    ggml_backend_dev_t device = ggml_backend_buft_get_device(ggml_backend_buffer_get_type(output->buffer));
    return std::find(devices.begin(), devices.end(), device) != devices.end() ? device : cpu;
}

// The type in which the GPUs are asked to multiply: `precision` or, if they cannot, F32. GGML_TYPE_COUNT if no GPU can
// be asked.
ggml_type factor_type(const std::vector<ggml_backend_dev_t> & devices, const char * precision) {
    const auto any_in = [&](ggml_type type) {
        return std::any_of(devices.begin(), devices.end(), [&](auto device) { return multiplies_in(device, type); });
    };
    if (!std::strcmp(precision, "bf16") && any_in(GGML_TYPE_BF16)) return GGML_TYPE_BF16;
    return any_in(GGML_TYPE_F32) ? GGML_TYPE_F32 : GGML_TYPE_COUNT;
}

bool read_stop_flag(void * flag) {
    return static_cast<const std::atomic<bool> *>(flag)->load(std::memory_order_relaxed);
}

}

compute::compute(const model & base, int32_t n_threads, const char * precision)
    : n_threads_(n_threads > 0 ? n_threads : usable_physical_cores()) {
    for (const llama_device & held : base.handle()->devices) {
        if (holds_weights(base, held.dev) && std::find(devices_.begin(), devices_.end(), held.dev) == devices_.end()) {
            devices_.push_back(held.dev);
        }
    }
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_ACCEL) { devices_.push_back(device); }
    }
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (!cpu) {
        throw error("BACKEND_NOT_FOUND", "no CPU back end was found",
                    "The installation is incomplete: reinstall llamatune.");
    }
    devices_.push_back(cpu);
    output_ = output_device(base, devices_, cpu);
    factors_ = factor_type(devices_, precision);
    for (ggml_backend_dev_t device : devices_) {
        const bool accelerator = ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_ACCEL;
        ggml_backend_ptr backend{ggml_backend_dev_init(device, accelerator ? precision : nullptr)};
        if (!backend) {
            throw error("DEVICE_FAILED", std::string("the device ") + ggml_backend_dev_name(device) + " did not start");
        }
        if (const auto set = procedure<set_n_threads_fn>(device, "ggml_backend_set_n_threads")) {
            set(backend.get(), n_threads_);
        }
        backends_.push_back(std::move(backend));
    }
    // Keep the threads alive between graphs: a step runs many graphs, and each would start new threads.
    const auto make = procedure<threadpool_new_fn>(cpu, "ggml_threadpool_new");
    const auto attach = procedure<set_threadpool_fn>(cpu, "ggml_backend_cpu_set_threadpool");
    free_threads_ = procedure<threadpool_free_fn>(cpu, "ggml_threadpool_free");
    if (make && attach && free_threads_) {
        ggml_threadpool_params params = ggml_threadpool_params_default(n_threads_);
        params.poll = 0; // sleep between graphs, because an accelerator's threads then need the cores
        threads_ = make(&params);
        if (threads_) { attach(backends_.back().get(), threads_); }
    }
}

compute::~compute() {
    backends_.clear();
    if (threads_) { free_threads_(threads_); }
}

bool compute::on_host() const {
    return std::all_of(devices_.begin(), devices_.end(),
                       [](ggml_backend_dev_t d) { return ggml_backend_buft_is_host(ggml_backend_dev_buffer_type(d)); });
}

ggml_backend_buffer_type_t compute::host_buffer_type() const {
    for (ggml_backend_dev_t device : devices_) {
        if (ggml_backend_buffer_type_t pinned = ggml_backend_dev_host_buffer_type(device)) return pinned;
    }
    return ggml_backend_dev_buffer_type(devices_.back());
}

bool compute::rounds_to_f16() const {
    return std::any_of(devices_.begin(), devices_.end(), [](ggml_backend_dev_t device) {
        return !ggml_backend_buft_is_host(ggml_backend_dev_buffer_type(device)) &&
               !multiplies_in(device, GGML_TYPE_F32);
    });
}

void compute::set_precision(ggml_cgraph * graph) const {
    if (factors_ != GGML_TYPE_COUNT) set_matmul_type(graph, factors_);
}

ggml_backend_sched_ptr compute::new_scheduler(size_t n_tensors) const {
    std::vector<ggml_backend_t> raw;
    std::vector<ggml_backend_buffer_type_t> memory;
    for (const auto & backend : backends_) {
        raw.push_back(backend.get());
        memory.push_back(ggml_backend_get_default_buffer_type(backend.get()));
    }
    memory.back() = host_buffer_type();
    const size_t graph_size = n_tensors + n_tensors / 4 + 16; // the size of a hash table, which gets slow when full
    return ggml_backend_sched_ptr(
        ggml_backend_sched_new(raw.data(), memory.data(), int(raw.size()), graph_size, false, true));
}

void compute::set_padding(const std::vector<uint8_t> & blocks, int64_t n_tokens) const {
    for (size_t i = 0; i < devices_.size(); i++) {
        if (const auto set = procedure<set_padding_fn>(devices_[i], "llamatune_set_padding")) {
            set(backends_[i].get(), blocks.data(), int64_t(blocks.size()), n_tokens);
        }
    }
}

size_t compute::scratch_bytes(ggml_cgraph * graph) const { return sum_of("llamatune_scratch_bytes", graph); }

size_t compute::needed_weight_cache_bytes(ggml_cgraph * graph) const {
    return sum_of("llamatune_weight_cache_bytes", graph);
}

size_t compute::weight_cache_bytes() const { return sum_of("llamatune_weight_cache_bytes", nullptr); }

size_t compute::sum_of(const char * name, ggml_cgraph * graph) const {
    size_t total = 0;
    for (size_t i = 0; i < devices_.size(); i++) {
        if (const auto bytes = procedure<graph_bytes_fn>(devices_[i], name)) total += bytes(backends_[i].get(), graph);
    }
    return total;
}

void compute::set_weight_cache(bool on) const {
    for (size_t i = 0; i < devices_.size(); i++) {
        if (const auto set = procedure<set_weight_cache_fn>(devices_[i], "llamatune_set_weight_cache")) {
            set(backends_[i].get(), on);
        }
    }
}

void compute::set_stop(const std::atomic<bool> * stop) {
    stop_ = stop;
    pass_stop(stop);
}

void compute::pass_stop(const std::atomic<bool> * stop) const {
    for (size_t i = 0; i < devices_.size(); i++) {
        if (const auto set = procedure<set_abort_callback_fn>(devices_[i], "ggml_backend_set_abort_callback")) {
            set(backends_[i].get(), stop ? read_stop_flag : nullptr, const_cast<std::atomic<bool> *>(stop));
        }
    }
}

}
