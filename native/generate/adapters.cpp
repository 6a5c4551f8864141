#include "generate/adapters.h"

#include "adapter/adapter-file.h"
#include "core/error.h"
#include "core/log.h"

#include <llama.h>

namespace llamatune {

loaded_adapters::loaded_adapters(const std::shared_ptr<model> & base, const std::vector<adapter_option> & options) {
    for (const adapter_option & option : options) {
        adapters_.push_back(read_adapter(option.path, base));
        scales_.push_back(option.scale);
    }
}

void loaded_adapters::apply(llama_context * context) const {
    if (adapters_.empty()) return;
    std::vector<llama_adapter_lora *> handles;
    for (const auto & adapter : adapters_) handles.push_back(adapter->handle());
    std::vector<float> scales = scales_;
    if (llama_set_adapters_lora(context, handles.data(), handles.size(), scales.data()) != 0)
        throw error("ADAPTER_INVALID", "llama.cpp could not apply the adapters: " + take_recent_errors());
}

}
