#include "adapter/fingerprint.h"

#include "model/weights.h"

#include "llama-model.h"

#include <cstdio>
#include <map>

namespace llamatune {

namespace {

std::string hexadecimal(uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
    return text;
}

}

uint64_t hash_text(const std::string & text) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : text) { hash = (hash ^ (uint8_t)c) * 0x100000001b3ull; }
    return hash;
}

base_fingerprint fingerprint_of(const model & base) {
    const llama_model * handle = base.handle();
    // By name: where layers are placed changes llama.cpp's order of tensors.
    std::map<std::string, const ggml_tensor *> tensors;
    for (const ggml_tensor * tensor : list_weights(base)) { tensors.emplace(tensor->name, tensor); }
    std::string shapes, types;
    for (const auto & [name, tensor] : tensors) {
        shapes += name;
        for (const int64_t n : tensor->ne) { shapes += ' ' + std::to_string(n); }
        shapes += '\n';
        types += name + ' ' + ggml_type_name(tensor->type) + '\n';
    }
    char name[256] = "";
    llama_model_meta_val_str(handle, "general.name", name, sizeof(name));
    return {handle->arch_name(),
            name,
            (uint32_t)llama_model_n_embd(handle),
            (uint32_t)llama_model_n_layer(handle),
            hexadecimal(hash_text(shapes)),
            hexadecimal(hash_text(types))};
}

}
