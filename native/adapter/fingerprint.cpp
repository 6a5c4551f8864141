#include "adapter/fingerprint.h"

#include "core/hash.h"
#include "model/weights.h"

#include "llama-model.h"

#include <map>

namespace llamatune {

base_fingerprint fingerprint_of(const model & base) {
    const llama_model * handle = base.handle();
    // Sorted by name: llama.cpp's order of tensors depends on the placement of layers.
    std::map<std::string, const ggml_tensor *> tensors;
    for (const ggml_tensor * tensor : list_weights(base)) { tensors.emplace(tensor->name, tensor); }
    std::string shapes;
    for (const auto & [name, tensor] : tensors) {
        shapes += name;
        for (const int64_t n : tensor->ne) { shapes += ' ' + std::to_string(n); }
        shapes += '\n';
    }
    char name[256] = "";
    llama_model_meta_val_str(handle, "general.name", name, sizeof(name));
    return {handle->arch_name(), name, (uint32_t)llama_model_n_embd(handle), (uint32_t)llama_model_n_layer(handle),
            hexadecimal(hash_text(shapes))};
}

}
