#include "model/load.h"

#include "core/abort-guard.h"
#include "core/error.h"
#include "core/log.h"
#include "model/gguf-file.h"

#include <llama-arch.h>
#include <llama.h>

#include <exception>

namespace llamatune {

namespace {

void initialise_llama() {
    static std::once_flag once;
    install_log();
    install_abort_handler();
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

bool is_out_of_memory(const std::string & log) {
    return log.find("failed to allocate") != std::string::npos || log.find("unable to allocate") != std::string::npos ||
           log.find("out of memory") != std::string::npos || log.find("bad_alloc") != std::string::npos;
}

}

std::shared_ptr<model> model::load(const load_options & options) {
    initialise_llama();
    check_is_model(options.path, open_gguf(options.path).get());

    progress_state progress{&options.progress, false, nullptr};
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = options.gpu_layers;
    params.load_mode = options.use_mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = options.repack;
    params.progress_callback = &progress_state::report;
    params.progress_callback_user_data = &progress;

    const abort_guard guard;
    take_recent_errors();
    llama_model * handle = llama_model_load_from_file(options.path.c_str(), params);
    if (handle) return std::shared_ptr<model>(new model(handle, options));

    if (progress.thrown) std::rethrow_exception(progress.thrown);
    if (progress.cancelled) throw error("ABORTED", "loading '" + options.path + "' was aborted");
    const std::string log = take_recent_errors();
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
