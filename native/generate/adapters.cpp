#include "generate/adapters.h"

#include "core/assertion.h"
#include "core/error.h"
#include "core/log.h"
#include "gguf/gguf-file.h"
#include "model/weights.h"

#include <llama.h>

#include <map>

namespace llamatune {

namespace {

struct pair_shapes {
    const int64_t * a = nullptr;
    const int64_t * b = nullptr;
};

std::string shape_text(const int64_t * ne) { return "[" + std::to_string(ne[0]) + ", " + std::to_string(ne[1]) + "]"; }

[[noreturn]] void mismatch(const std::string & path, const std::string & why) {
    throw error("ADAPTER_MISMATCH", "expected '" + path + "' to be an adapter of the loaded base model but " + why,
                "use the base model that this adapter was trained on");
}

std::string base_architecture(const model & base) {
    char text[128] = {};
    llama_model_meta_val_str(base.handle(), "general.architecture", text, sizeof(text));
    return text;
}

}

void check_adapter(const model & base, const std::string & path) {
    const gguf_context_ptr file = open_gguf(path, adapter_error_codes);
    const std::string type = gguf_string(file.get(), "general.type"), kind = gguf_string(file.get(), "adapter.type");
    if (type != "adapter" || kind != "lora") {
        throw error("ADAPTER_INVALID",
                    "expected '" + path + "' to be a LoRA adapter but received a GGUF of type '" + type + "'" +
                        (kind.empty() ? "" : " (" + kind + ")"),
                    "a base model is loaded as the model, not as an adapter");
    }
    const std::string architecture = gguf_string(file.get(), "general.architecture");
    if (architecture != base_architecture(base)) {
        mismatch(path, "it was made for architecture '" + architecture + "' and this one is '" +
                           base_architecture(base) + "'");
    }

    std::map<std::string, pair_shapes> pairs;
    const std::string suffix_a = ".lora_a", suffix_b = ".lora_b";
    for (int64_t i = 0; i < gguf_get_n_tensors(file.get()); i++) {
        const std::string name = gguf_get_tensor_name(file.get(), i);
        if (name.size() <= suffix_a.size()) continue;
        const std::string weight = name.substr(0, name.size() - suffix_a.size());
        const std::string suffix = name.substr(weight.size());
        if (suffix == suffix_a) pairs[weight].a = gguf_get_tensor_ne(file.get(), i);
        if (suffix == suffix_b) pairs[weight].b = gguf_get_tensor_ne(file.get(), i);
    }
    for (const auto & [name, pair] : pairs) {
        if (!pair.a || !pair.b)
            throw error("ADAPTER_INVALID",
                        "expected '" + path + "' to hold both parts of '" + name + "' but one is missing");
        const ggml_tensor * weight = find_weight(base, name);
        if (!weight) mismatch(path, "the model has no weight '" + name + "'");
        const int64_t * w = weight->ne;
        // An embedding is looked up, not multiplied: its pair is stored the other way round.
        bool fits = name == "token_embd.weight" ? pair.a[0] == pair.b[0] && pair.a[1] == w[1] && pair.b[1] == w[0]
                                                : pair.a[1] == pair.b[0] && pair.a[0] == w[0] && pair.b[1] == w[1];
        fits = fits && (w[2] == 1 || (pair.a[2] == w[2] && pair.b[2] == w[2])); // one pair per expert
        if (!fits) {
            mismatch(path, "its pair for '" + name + "' has shapes " + shape_text(pair.a) + " and " +
                               shape_text(pair.b) + ", which do not fit the weight's " + shape_text(weight->ne));
        }
    }
}

loaded_adapters::loaded_adapters(std::shared_ptr<model> base, const std::vector<adapter_option> & options)
    : base_(std::move(base)) {
    for (const adapter_option & option : options) check_adapter(*base_, option.path);
    const std::lock_guard<std::mutex> lock(base_->mutex());
    const auto free_all = [&] {
        for (llama_adapter_lora * handle : handles_) llama_adapter_lora_free(handle);
    };
    try {
        for (const adapter_option & option : options) {
            take_recent_errors();
            handles_.reserve(handles_.size() + 1);
            llama_adapter_lora * handle = llama_adapter_lora_init(base_->handle(), option.path.c_str());
            if (!handle) {
                const std::string log = take_recent_errors();
                require_rpc_servers(log);
                throw error("ADAPTER_INVALID", "expected llama.cpp to load '" + option.path + "' but it said: " + log);
            }
            handles_.push_back(handle);
            scales_.push_back(option.scale);
        }
    } catch (...) {
        free_all();
        throw;
    }
}

loaded_adapters::~loaded_adapters() {
    const std::lock_guard<std::mutex> lock(base_->mutex());
    for (llama_adapter_lora * handle : handles_) llama_adapter_lora_free(handle);
}

void loaded_adapters::apply(llama_context * context) {
    if (handles_.empty()) return;
    if (llama_set_adapters_lora(context, handles_.data(), handles_.size(), scales_.data()) != 0) {
        throw error("ADAPTER_INVALID", "expected llama.cpp to apply the adapters but it said: " + take_recent_errors());
    }
}

}
