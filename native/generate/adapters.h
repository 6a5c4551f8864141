#pragma once

#include "model/load.h"

#include <memory>
#include <string>
#include <vector>

struct llama_adapter_lora;
struct llama_context;

namespace llamatune {

struct adapter_option {
    std::string path;
    float scale = 1.0f;
};

template <class V>
void fields(V & v, adapter_option & o) {
    v("path", o.path);
    v("scale", o.scale);
}

// LoRA adapters loaded for one user of a shared model; they leave the model with this object, which must not outlive
// the contexts it was applied to.
class loaded_adapters {
public:
    // Throws error: ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID (no adapter, or damaged), ADAPTER_MISMATCH
    // (made for another base model).
    loaded_adapters(std::shared_ptr<model> base, const std::vector<adapter_option> & options);
    ~loaded_adapters();
    loaded_adapters(const loaded_adapters &) = delete;
    loaded_adapters & operator=(const loaded_adapters &) = delete;

    // The caller holds the model's mutex.
    void apply(llama_context * context);

private:
    std::shared_ptr<model> base_;
    std::vector<llama_adapter_lora *> handles_;
    std::vector<float> scales_;
};

// Throws as above, without loading the weights.
void check_adapter(const model & base, const std::string & path);

}
