#include "model/load.h"

#include "core/assertion.h"
#include "core/error.h"
#include "core/log.h"
#include "gguf/reader.h"
#include "model/hyperparameters.h"

#include <llama-arch.h>
#include <llama.h>

#include <exception>
#include <string_view>
#include <unordered_map>

namespace llamatune {

namespace {

void initialise_llama() {
    static std::once_flag once;
    std::call_once(once, [] { llama_backend_init(); });
}

// Refuses GGUF files that are not models; llama.cpp's message would only name a missing tensor.
void check_is_model(const gguf_reader & file, bool vocabulary_only) {
    if (file.text("general.type", "model") == "adapter") {
        throw error("MODEL_IS_ADAPTER", "'" + file.path() + "' is a LoRA adapter, not a model",
                    "load its base model and pass this file as an adapter");
    }
    if (file.text("general.type") == "checkpoint") {
        throw error("MODEL_UNSUPPORTED", "'" + file.path() + "' is a checkpoint of a training, not a model",
                    "resume the training from it (checkpoint.resume), which writes its output at the end");
    }
    const std::string architecture = file.text("general.architecture");
    if (architecture.empty())
        throw error("MODEL_UNSUPPORTED", "'" + file.path() + "' does not name its architecture (general.architecture)");
    if (llm_arch_from_string(architecture) == LLM_ARCH_UNKNOWN) {
        throw error("MODEL_UNSUPPORTED",
                    "llama.cpp does not know the architecture '" + architecture + "' of '" + file.path() + "'",
                    "a newer llamatune may know it");
    }
    if (file.tensors().empty() && !vocabulary_only)
        throw error("MODEL_UNSUPPORTED", "'" + file.path() + "' has a vocabulary but no weights");
}

// Names two tokens with the same text, on which llama.cpp asserts. Only for files that it did not load: it takes a
// while.
void check_tokens_differ(const gguf_reader & file) {
    const gguf_context * metadata = file.metadata();
    const int64_t key = gguf_find_key(metadata, "tokenizer.ggml.tokens");
    if (key < 0 || gguf_get_kv_type(metadata, key) != GGUF_TYPE_ARRAY ||
        gguf_get_arr_type(metadata, key) != GGUF_TYPE_STRING)
        return;
    std::unordered_map<std::string_view, size_t> seen;
    for (size_t i = 0; i < gguf_get_arr_n(metadata, key); i++) {
        const std::string_view text = gguf_get_arr_str(metadata, key, i);
        const auto [first, is_new] = seen.emplace(text, i);
        if (is_new || text.empty()) continue; // llama.cpp gives empty tokens different names
        throw error("MODEL_INVALID",
                    "the vocabulary of '" + file.path() + "' is invalid: its tokens " + std::to_string(first->second) +
                        " and " + std::to_string(i) + " have the same text",
                    "convert or download the model again", {{"tokenizer.ggml.tokens", "has one text for two tokens"}});
    }
}

struct progress_state {
    const std::function<bool(float)> * callback;
    bool cancelled = false;
    std::exception_ptr thrown; // must not unwind through llama.cpp

    static bool report(float fraction, void * self) {
        auto & state = *static_cast<progress_state *>(self);
        try {
            if (!*state.callback || (*state.callback)(fraction)) return true;
        } catch (...) { state.thrown = std::current_exception(); }
        state.cancelled = true;
        return false;
    }
};

// llama.cpp copies tied embeddings to the output's device. If they are trained, there must be only one copy.
bool must_stay_tied(const load_options & options, const gguf_reader & file) {
    return !options.use_mmap && !options.repack && !file.find("output.weight");
}

// Devices and patterns as llama.cpp's null-terminated lists, which must outlive the call.
class device_params {
public:
    device_params(const load_options & options, bool keep_tied)
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

    void apply_to(llama_model_params & params) const {
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

}

std::shared_ptr<model> model::load(const load_options & options) {
    initialise_llama();
    bool keep_tied = false;
    {
        const gguf_reader file(options.path);
        check_is_model(file, options.vocabulary_only);
        if (!options.vocabulary_only) check_hyperparameters(file);
        check_placement(options.placement, options.devices, file);
        if (options.devices) {
            check_device_count(*options.devices);
            check_split(options.tensor_split, *options.devices);
        }
        keep_tied = options.gpu_layers != 0 && must_stay_tied(options, file);
    }
    const device_params devices(options, keep_tied);

    progress_state progress{&options.progress, false, nullptr};
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = options.gpu_layers;
    devices.apply_to(params);
    params.load_mode = options.use_mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = options.repack;
    params.vocab_only = options.vocabulary_only;
    params.progress_callback = &progress_state::report;
    params.progress_callback_user_data = &progress;

    take_recent_errors();
    llama_model * handle = llama_model_load_from_file(options.path.c_str(), params);
    if (handle) return std::shared_ptr<model>(new model(handle, options));

    if (progress.thrown) std::rethrow_exception(progress.thrown);
    if (progress.cancelled) throw error("ABORTED", "loading '" + options.path + "' was aborted");
    const std::string log = take_recent_errors();
    check_tokens_differ(gguf_reader(options.path));
    throw_logged_error(log, "loading the weights of '" + options.path + "'",
                       "use a smaller or more strongly quantized model, or fewer GPU layers");
    throw error("MODEL_LOAD_FAILED",
                "llama.cpp could not load '" + options.path + "'" + (log.empty() ? "" : ": " + log));
}

model::~model() { llama_model_free(handle_); }

}
