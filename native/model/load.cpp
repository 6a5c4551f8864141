#include "model/load.h"

#include "core/assertion.h"
#include "core/error.h"
#include "core/log.h"
#include "gguf/gguf-file.h"

#include <llama-arch.h>
#include <llama.h>

#include <exception>

namespace llamatune {

namespace {

void initialise_llama() {
    static std::once_flag once;
    std::call_once(once, [] { llama_backend_init(); });
}

// Kinds of GGUF that are none: told here, because llama.cpp's own message about them names a missing tensor.
void check_is_model(const std::string & path, const gguf_context * gguf) {
    const std::string type = gguf_string(gguf, "general.type", "model");
    if (type == "adapter") {
        throw error("MODEL_UNSUPPORTED", "expected '" + path + "' to hold a model but received a LoRA adapter",
                    "load its base model and pass this file as an adapter");
    }
    const std::string architecture = gguf_string(gguf, "general.architecture");
    if (architecture.empty()) {
        throw error("MODEL_UNSUPPORTED",
                    "expected '" + path + "' to name its architecture but general.architecture is missing");
    }
    if (llm_arch_from_string(architecture) == LLM_ARCH_UNKNOWN) {
        throw error("MODEL_UNSUPPORTED",
                    "expected an architecture known to llama.cpp but received '" + architecture + "' in '" + path + "'",
                    "a newer llamatune may know it");
    }
    if (gguf_get_n_tensors(gguf) == 0) {
        throw error("MODEL_UNSUPPORTED", "expected '" + path + "' to hold weights but it has a vocabulary only");
    }
}

struct progress_state {
    const std::function<bool(float)> * callback;
    bool cancelled = false;
    std::exception_ptr thrown; // carried over llama.cpp's frames

    static bool report(float fraction, void * self) {
        auto & state = *static_cast<progress_state *>(self);
        try {
            if (!*state.callback || (*state.callback)(fraction)) return true;
        } catch (...) { state.thrown = std::current_exception(); }
        state.cancelled = true;
        return false;
    }
};

// An output matrix that is the embeddings: llama.cpp copies it to the output's device, which is fine as long as nobody
// writes to it. Trained, it must be one.
bool must_stay_one(const load_options & options, const gguf_context * file) {
    return !options.use_mmap && !options.repack && gguf_find_tensor(file, "output.weight") < 0;
}

// Devices and patterns as llama.cpp takes them: lists with an end, which must outlive the call.
class places {
public:
    places(const load_options & options, bool keep_tied)
        : chosen_(options.devices.has_value()), split_(options.tensor_split) {
        if (chosen_) devices_ = *options.devices;
        devices_.push_back(nullptr);
        if (!split_.empty()) split_.resize(llama_max_devices(), 0.0f);
        for (const placement_rule & rule : options.placement) {
            overrides_.push_back({rule.pattern.c_str(), ggml_backend_dev_buffer_type(rule.device)});
        }
        if (keep_tied && chosen_ && !options.devices->empty()) {
            overrides_.push_back({"^token_embd\\.weight$", ggml_backend_dev_buffer_type(options.devices->back())});
        }
        overrides_.push_back({nullptr, nullptr});
    }

    void put_into(llama_model_params & params) const {
        if (chosen_) params.devices = devices_.data();
        if (!split_.empty()) params.tensor_split = split_.data();
        if (overrides_.size() > 1) params.tensor_buft_overrides = overrides_.data();
    }

private:
    bool chosen_;
    mutable std::vector<ggml_backend_dev_t> devices_;
    std::vector<float> split_;
    std::vector<llama_model_tensor_buft_override> overrides_;
};

bool is_out_of_memory(const std::string & log) {
    return log.find("failed to allocate") != std::string::npos || log.find("unable to allocate") != std::string::npos ||
           log.find("out of memory") != std::string::npos || log.find("bad_alloc") != std::string::npos;
}

}

std::shared_ptr<model> model::load(const load_options & options) {
    initialise_llama();
    bool keep_tied = false;
    {
        const gguf_context_ptr file = open_gguf(options.path);
        check_is_model(options.path, file.get());
        check_placement(options.placement, options.devices, file.get());
        if (options.devices) {
            check_device_count(*options.devices);
            check_split(options.tensor_split, *options.devices);
        }
        keep_tied = options.gpu_layers != 0 && must_stay_one(options, file.get());
    }
    const places where(options, keep_tied);

    progress_state progress{&options.progress, false, nullptr};
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = options.gpu_layers;
    where.put_into(params);
    params.load_mode = options.use_mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = options.repack;
    params.progress_callback = &progress_state::report;
    params.progress_callback_user_data = &progress;

    take_recent_errors();
    llama_model * handle = llama_model_load_from_file(options.path.c_str(), params);
    if (handle) return std::shared_ptr<model>(new model(handle, options));

    if (progress.thrown) std::rethrow_exception(progress.thrown);
    if (progress.cancelled) throw error("ABORTED", "loading '" + options.path + "' was aborted");
    const std::string log = take_recent_errors();
    require_rpc_servers(log);
    if (is_out_of_memory(log)) {
        throw error("OUT_OF_MEMORY",
                    "expected enough memory for the weights of '" + options.path + "' but llama.cpp said: " + log,
                    "use a smaller or more strongly quantized model, or fewer GPU layers");
    }
    throw error("MODEL_LOAD_FAILED",
                "expected llama.cpp to load '" + options.path + "' but it said: " + (log.empty() ? "nothing" : log));
}

model::~model() { llama_model_free(handle_); }

}
