#include "generate/context.h"

#include "core/assertion.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/log.h"

#include <ggml-backend.h>
#include <llama-context.h>
#include <llama.h>

#include <algorithm>
#include <string>

namespace llamatune {

namespace {

template <typename Function>
Function cpu_function(const char * name) {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    return cpu ? reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), name))
               : nullptr;
}

[[noreturn]] void context_failed(int32_t n_ctx, const std::string & log) {
    const std::string size = "a context of " + std::to_string(n_ctx) + " tokens";
    throw_logged_error(log, "allocating " + size, "use a smaller contextLength or batchSize");
    throw error("GENERATION_FAILED", "llama.cpp could not create " + size + ": " + log);
}

bool is_stopped(void * stop) { return static_cast<const std::atomic<bool> *>(stop)->load(); }

}

void inference_context::threads_deleter::operator()(ggml_threadpool * threads) const {
    cpu_function<void (*)(ggml_threadpool *)>("ggml_threadpool_free")(threads);
}

// Without a pool ggml starts threads for every split of a graph, and a prompt's graph has hundreds of splits if an
// accelerator computes some nodes. The pool's threads sleep between splits, because the accelerator needs the cores.
inference_context::threads inference_context::cpu_threads(int32_t n_threads) {
    const auto make = cpu_function<ggml_threadpool * (*)(ggml_threadpool_params *)>("ggml_threadpool_new");
    if (!make || !cpu_function<void (*)(ggml_threadpool *)>("ggml_threadpool_free")) return nullptr;
    ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
    params.poll = 0;
    return threads(make(&params));
}

inference_context::inference_context(const std::shared_ptr<model> & base, const context_options & options,
                                     const loaded_adapters * adapters, const std::atomic<bool> & stop)
    : stop_(stop), n_batch_(options.n_batch) {
    if (!llama_model_has_decoder(base->handle()) || llama_model_has_encoder(base->handle())) {
        throw error("UNSUPPORTED_ARCHITECTURE", "cannot generate with this model: it has an encoder, or no decoder");
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = uint32_t(options.n_ctx);
    params.n_batch = uint32_t(std::min(options.n_batch, options.n_ctx));
    params.n_ubatch = params.n_batch;
    params.n_seq_max = 1;
    params.n_outputs_max = 1;
    params.n_threads = options.n_threads > 0 ? options.n_threads : usable_physical_cores();
    params.n_threads_batch = params.n_threads;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    params.abort_callback = is_stopped;
    params.abort_callback_data = const_cast<std::atomic<bool> *>(&stop);
    params.no_perf = true;

    // llama.cpp reads the model's list of adapters when it sizes a graph, and other threads modify that list. So the
    // graph is sized here, under the model's lock, instead of at the first forward pass.
    const std::lock_guard<std::mutex> lock(base->mutex());
    take_recent_errors();
    handle_ = llama_init_from_model(base->handle(), params);
    if (!handle_) context_failed(options.n_ctx, take_recent_errors());
    try {
        if (adapters) adapters->apply(handle_);
        handle_->sched_reserve();
        threads_ = cpu_threads(params.n_threads);
        if (threads_) llama_attach_threadpool(handle_, threads_.get(), nullptr);
    } catch (...) {
        llama_free(handle_);
        throw;
    }
}

inference_context::~inference_context() { llama_free(handle_); }

void inference_context::check_stop() const {
    if (stop_) throw error("ABORTED", "generation was aborted");
}

void inference_context::decode(const int32_t * tokens, int32_t n_tokens) {
    check_stop();
    take_recent_errors();
    const int32_t rc = llama_decode(handle_, llama_batch_get_one(const_cast<int32_t *>(tokens), n_tokens));
    if (rc == 0) {
        llama_synchronize(handle_); // a GPU computes asynchronously: only now is the time known
        return;
    }
    check_stop();
    const std::string log = take_recent_errors();
    throw_logged_error(log, "decoding " + std::to_string(n_tokens) + " tokens",
                       "use a smaller contextLength or batchSize");
    throw error("GENERATION_FAILED", "llama.cpp could not decode " + std::to_string(n_tokens) +
                                         " tokens (it returned " + std::to_string(rc) + ")" +
                                         (log.empty() ? "" : ": " + log));
}

void inference_context::decode_all(const int32_t * tokens, size_t n_tokens) {
    for (size_t at = 0; at < n_tokens; at += size_t(n_batch_)) {
        decode(tokens + at, int32_t(std::min(size_t(n_batch_), n_tokens - at)));
    }
}

void inference_context::clear() { llama_memory_clear(llama_get_memory(handle_), true); }

}
