#include "adapter/adapter-info.h"

#include <llama-impl.h>

namespace llamatune {

namespace {

std::map<std::string, std::string> scalar_metadata(const gguf_context * gguf) {
    std::map<std::string, std::string> values;
    for (int64_t id = 0; id < gguf_get_n_kv(gguf); id++)
        if (gguf_get_kv_type(gguf, id) != GGUF_TYPE_ARRAY)
            values[gguf_get_key(gguf, id)] = gguf_kv_to_str(gguf, int(id));
    return values;
}

}

adapter_info describe_adapter(const std::string & path) {
    const adapter_header file(path);
    adapter_info info;
    info.architecture = file.architecture;
    info.rank = file.rank();
    info.alpha = file.option_alpha(file.rs_lora.value_or(false));
    info.rs_lora = file.rs_lora;
    info.base = file.base;
    info.metadata = scalar_metadata(file.file.metadata());
    for (const stored_pair & pair : file.pairs) {
        info.weights.push_back({pair.name, pair.rank()});
        for (const gguf_tensor * tensor : {pair.a, pair.b}) {
            const auto & n = tensor->shape;
            info.parameters += uint64_t(n[0] * n[1] * n[2] * n[3]);
        }
    }
    return info;
}

}
