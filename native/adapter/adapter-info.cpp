#include "adapter/adapter-info.h"

namespace llamatune {

adapter_info describe_adapter(const std::string & path) {
    const adapter_header file(path);
    adapter_info info;
    info.architecture = file.architecture;
    info.rank = file.rank();
    info.alpha = file.option_alpha(file.rs_lora.value_or(false));
    info.rs_lora = file.rs_lora;
    info.base = file.base;
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
