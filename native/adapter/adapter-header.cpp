#include "adapter/adapter-header.h"

#include "adapter/adapter-keys.h"
#include "core/error.h"

#include <cmath>
#include <map>

namespace llamatune {

namespace {

[[noreturn]] void invalid(const std::string & path, const std::string & why, const std::string & hint = {}) {
    throw error("ADAPTER_INVALID", "'" + path + "' is not a usable LoRA adapter: " + why, hint);
}

// Returns the weight's name if `tensor` ends with the suffix, else an empty string.
std::string without_suffix(const std::string & tensor, const std::string & suffix) {
    const bool ends =
        tensor.size() > suffix.size() && tensor.compare(tensor.size() - suffix.size(), suffix.size(), suffix) == 0;
    return ends ? tensor.substr(0, tensor.size() - suffix.size()) : std::string();
}

}

adapter_header::adapter_header(const std::string & path) : file(path, adapter_file) {
    const std::string type = file.text("general.type", "model"), kind = file.text("adapter.type");
    if (type == "checkpoint") {
        invalid(path, "it is a checkpoint of a training",
                "resume the training from it (checkpoint.resume), which writes an adapter at the end");
    }
    if (type != "adapter")
        invalid(path, "its general.type is '" + type + "'", "load a base model as the model, not as an adapter");
    if (kind != "lora") invalid(path, "its adapter.type is '" + kind + "', only 'lora' is supported");
    architecture = file.text("general.architecture");

    const int64_t id = gguf_find_key(file.metadata(), adapter_keys::alpha);
    if (id >= 0) {
        if (gguf_get_kv_type(file.metadata(), id) != GGUF_TYPE_FLOAT32)
            invalid(path, std::string(adapter_keys::alpha) + " is not a 32-bit float");
        alpha = gguf_get_val_f32(file.metadata(), id);
        if (!std::isfinite(alpha) || alpha < 0)
            invalid(path, std::string(adapter_keys::alpha) + " is " + std::to_string(alpha));
    }
    if (file.has(adapter_keys::rs_lora)) rs_lora = file.flag(adapter_keys::rs_lora, false);
    const std::string shapes = file.text(adapter_keys::base_shapes);
    if (!shapes.empty()) {
        base = recorded_base{file.text(adapter_keys::base_name), file.integer(adapter_keys::base_block_count, 0),
                             file.integer(adapter_keys::base_embedding_length, 0), shapes};
    }
    read_pairs();
}

void adapter_header::read_pairs() {
    std::map<std::string, size_t> index; // of a weight in pairs
    for (const gguf_tensor & tensor : file.tensors()) {
        const std::string of_a = without_suffix(tensor.name, adapter_keys::suffix_a);
        const std::string name = of_a.empty() ? without_suffix(tensor.name, adapter_keys::suffix_b) : of_a;
        if (name.empty()) {
            if (without_suffix(tensor.name, "_norm.weight").empty())
                invalid(path(), "the tensor '" + tensor.name + "' is not part of a LoRA pair");
            other_tensors.push_back(tensor.name);
            continue;
        }
        if (!can_convert(tensor.type))
            invalid(path(), "the tensor '" + tensor.name + "' has type " + ggml_type_name(tensor.type));
        const auto [at, added] = index.emplace(name, pairs.size());
        if (added) pairs.push_back({name, nullptr, nullptr});
        (of_a.empty() ? pairs[at->second].b : pairs[at->second].a) = &tensor;
    }
    if (pairs.empty()) invalid(path(), "it holds no LoRA pairs");
    for (const stored_pair & pair : pairs) {
        if (!pair.a || !pair.b)
            invalid(path(),
                    "'" + pair.name + (pair.a ? adapter_keys::suffix_b : adapter_keys::suffix_a) + "' is missing");
        if (pair.rank() < 1) invalid(path(), "the pair of '" + pair.name + "' is empty");
    }
}

std::optional<int64_t> adapter_header::rank() const {
    for (const stored_pair & pair : pairs)
        if (pair.rank() != pairs[0].rank()) return std::nullopt;
    return pairs[0].rank();
}

std::optional<float> adapter_header::option_alpha(bool with_rs_lora) const {
    const std::optional<int64_t> shared = rank();
    if (!shared) return alpha > 0 && !with_rs_lora ? std::optional<float>(alpha) : std::nullopt;
    const float scaled = alpha > 0 ? alpha : float(*shared);
    return with_rs_lora ? scaled / std::sqrt(float(*shared)) : scaled;
}

}
