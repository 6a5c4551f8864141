#include "generate/context.h"

#include "core/assertion.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/log.h"
#include "model/info.h"

#include <ggml-backend.h>
#include <llama-context.h>
#include <llama-model.h>
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

llama_flash_attn_type flash_attn_type(flash_attention attention) {
    switch (attention) {
    case flash_attention::on: return LLAMA_FLASH_ATTN_TYPE_ENABLED;
    case flash_attention::off: return LLAMA_FLASH_ATTN_TYPE_DISABLED;
    default: return LLAMA_FLASH_ATTN_TYPE_AUTO;
    }
}

// The scheduler's callback: asks which nodes to stop at, and gives them when they are computed.
bool count_experts(ggml_tensor * node, bool ask, void * counter) {
    if (!expert_counter::is_choice(node)) return !ask;
    if (!ask) static_cast<expert_counter *>(counter)->add(node);
    return true;
}

bool is_stopped(void * stop) { return static_cast<const std::atomic<bool> *>(stop)->load(); }

// Throws error UNSUPPORTED_ARCHITECTURE for a model that does not compute what the context is for.
void check_model(const llama_model * m, bool embeddings) {
    const auto unsupported = [](const std::string & reason) { throw error("UNSUPPORTED_ARCHITECTURE", reason); };
    const bool encodes = llama_model_has_encoder(m), decodes = llama_model_has_decoder(m);
    if (embeddings && encodes && decodes)
        unsupported("cannot compute embeddings with this model: it has an encoder and a decoder");
    if (embeddings) return;
    if (encodes || !decodes) unsupported("cannot generate with this model: it has an encoder, or no decoder");
    if (llama_model_is_diffusion(m)) unsupported("cannot generate with this model: it is a diffusion model");
    if (!m->hparams.causal_attn) unsupported("cannot generate with this model: its tokens attend to later tokens");
}

}

void inference_context::threads_deleter::operator()(ggml_threadpool * threads) const {
    cpu_function<void (*)(ggml_threadpool *)>("ggml_threadpool_free")(threads);
}

// Without a pool ggml starts threads for every split of a graph. `poll` 0: they sleep between graphs; 1: they first
// spin for a few milliseconds.
inference_context::threads inference_context::cpu_threads(int32_t n_threads, uint32_t poll) {
    const auto make = cpu_function<ggml_threadpool * (*)(ggml_threadpool_params *)>("ggml_threadpool_new");
    if (!make || !cpu_function<void (*)(ggml_threadpool *)>("ggml_threadpool_free")) return nullptr;
    ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
    params.poll = poll;
    return threads(make(&params));
}

inference_context::inference_context(const std::shared_ptr<model> & base, const context_options & options,
                                     const loaded_adapters * adapters, const std::atomic<bool> & stop)
    : stop_(stop), n_batch_(options.n_batch) {
    check_model(base->handle(), options.embeddings);
    llama_context_params params = llama_context_default_params();
    params.kv_unified = options.share_cache;
    params.n_ctx = uint32_t(options.n_ctx) * uint32_t(options.share_cache ? 1 : options.n_sequences);
    params.n_batch = uint32_t(std::max(std::min(options.n_batch, options.n_ctx), options.n_sequences));
    params.n_ubatch = params.n_batch;
    params.n_seq_max = uint32_t(options.n_sequences);
    params.n_outputs_max = options.n_outputs > 0 ? uint32_t(options.n_outputs) : params.n_seq_max;
    params.embeddings = options.embeddings;
    if (options.embeddings) params.pooling_type = LLAMA_POOLING_TYPE_NONE;
    if (options.share_cache) params.type_k = params.type_v = GGML_TYPE_F32;
    params.n_threads = options.n_threads > 0 ? options.n_threads : usable_physical_cores();
    params.n_threads_batch = params.n_threads;
    params.flash_attn_type = flash_attn_type(options.attention);
    if (options.experts) {
        params.cb_eval = count_experts;
        params.cb_eval_user_data = options.experts;
    }
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
        if (options.attention == flash_attention::on && !uses_flash_attention())
            throw error("FLASH_ATTENTION_UNSUPPORTED", "llama.cpp has no flash attention for this model's architecture",
                        "use flashAttention 'auto' or 'off'");
        if (adapters) adapters->apply(handle_);
        handle_->sched_reserve();
        // The graph of a single token is one split and the next token follows at once, so waking threads would be a
        // part of its time. A prompt's graph has hundreds of splits if an accelerator computes some nodes, which needs
        // the cores.
        token_threads_ = cpu_threads(params.n_threads, 1);
        batch_threads_ = cpu_threads(params.n_threads, 0);
        if (token_threads_ && batch_threads_)
            llama_attach_threadpool(handle_, token_threads_.get(), batch_threads_.get());
    } catch (...) {
        llama_free(handle_);
        throw;
    }
}

inference_context::~inference_context() { llama_free(handle_); }

void inference_context::check_stop() const {
    if (stop_) throw error("ABORTED", "the run was aborted");
}

void inference_context::run(const llama_batch & batch) {
    check_stop();
    take_recent_errors();
    const int32_t rc = llama_decode(handle_, batch);
    if (rc == 0) {
        llama_synchronize(handle_); // a GPU computes asynchronously: only now is the time known
        return;
    }
    check_stop();
    const std::string log = take_recent_errors();
    const std::string what = std::to_string(batch.n_tokens) + " tokens";
    throw_logged_error(log, "decoding " + what, "use a smaller contextLength or batchSize");
    throw error("GENERATION_FAILED", "llama.cpp could not decode " + what + " (it returned " + std::to_string(rc) +
                                         ")" + (log.empty() ? "" : ": " + log));
}

void inference_context::decode(const int32_t * tokens, int32_t n_tokens) {
    run(llama_batch_get_one(const_cast<int32_t *>(tokens), n_tokens));
}

void inference_context::decode_all(const int32_t * tokens, size_t n_tokens) {
    for (size_t at = 0; at < n_tokens; at += size_t(n_batch_)) {
        decode(tokens + at, int32_t(std::min(size_t(n_batch_), n_tokens - at)));
    }
}

void inference_context::add(const next_token & token, bool output) {
    tokens_.push_back(token.token);
    positions_.push_back(token.position);
    sequences_.push_back(token.sequence);
    outputs_.push_back(output);
}

void inference_context::run_added() {
    std::vector<int32_t> counts(tokens_.size(), 1);
    std::vector<int32_t *> sequences(tokens_.size());
    for (size_t i = 0; i < sequences.size(); i++) sequences[i] = &sequences_[i];
    const auto size = int32_t(tokens_.size());
    run({size, tokens_.data(), nullptr, positions_.data(), counts.data(), sequences.data(), outputs_.data()});
    tokens_.clear(), positions_.clear(), sequences_.clear(), outputs_.clear();
}

void inference_context::decode_prompt(int32_t sequence, int32_t position, const int32_t * tokens, size_t n_tokens) {
    constexpr size_t least = size_t(least_prompt_pass);
    for (size_t at = 0, n; at < n_tokens; at += n) {
        n = std::min(size_t(n_batch_), n_tokens - at);
        const size_t rest = n_tokens - at - n;
        if (rest > 0 && rest < least && n >= 2 * least) n -= least - rest;
        for (size_t i = at; i < at + n; i++) add({sequence, position + int32_t(i), tokens[i]}, i + 1 == n_tokens);
        run_added();
    }
}

void inference_context::decode_step(const std::vector<next_token> & tokens) {
    for (const next_token & each : tokens) add(each, true);
    run_added();
}

const float * inference_context::logits(int32_t i) const { return llama_get_logits_ith(handle_, i); }

const float * inference_context::hidden_state(int32_t i) const { return llama_get_embeddings_ith(handle_, i); }

void inference_context::clear() { llama_memory_clear(llama_get_memory(handle_), true); }

void inference_context::copy(int32_t from, int32_t to) {
    if (from == to) return;
    llama_memory_seq_rm(llama_get_memory(handle_), to, -1, -1);
    llama_memory_seq_cp(llama_get_memory(handle_), from, to, -1, -1);
}

bool inference_context::rewind(int32_t sequence, int32_t position) {
    return llama_memory_seq_rm(llama_get_memory(handle_), sequence, position == 0 ? -1 : position, -1);
}

bool inference_context::uses_flash_attention() const { return handle_->get_cparams().flash_attn; }

std::unique_ptr<inference_context> open_shared_context(const std::shared_ptr<model> & base, context_options & options,
                                                       const loaded_adapters & adapters,
                                                       const std::atomic<bool> & stop) {
    options.share_cache = true;
    if (has_recurrent_state(*base) && options.n_sequences > 1) {
        try {
            auto context = std::make_unique<inference_context>(base, options, &adapters, stop);
            context->decode_step({{0, 0, 0}, {1, 0, 0}}); // fails if the graph cannot hold two sequences
            context->clear();
            return context;
        } catch (const error & e) {
            if (e.code() != "NATIVE_ASSERTION") throw;
        }
        options.n_sequences = 1;
    }
    return std::make_unique<inference_context>(base, options, &adapters, stop);
}

}
