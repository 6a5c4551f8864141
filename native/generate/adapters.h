#pragma once

#include "adapter/adapter.h"
#include "model/load.h"

#include <memory>
#include <string>
#include <vector>

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

// LoRA adapters that one call loads for a shared model. They must outlive the contexts they were applied to.
class loaded_adapters {
public:
    // Throws the errors of read_adapter: ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID, ADAPTER_MISMATCH.
    loaded_adapters(const std::shared_ptr<model> & base, const std::vector<adapter_option> & options);

    // The caller must hold the model's mutex.
    void apply(llama_context * context) const;

private:
    std::vector<std::unique_ptr<adapter>> adapters_;
    std::vector<float> scales_;
};

}
