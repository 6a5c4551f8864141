#include "model-tools/save.h"

#include "core/error.h"
#include "gguf/model-files.h"
#include "gguf/writer.h"
#include "model/weights.h"

#include <unordered_map>

namespace llamatune {

void save_model(const model & m, const std::string & path) {
    if (m.options().repack) {
        throw error("MODEL_NOT_TRAINABLE",
                    "cannot save a model that was loaded with repack: its weights are in a CPU-specific layout",
                    "load it with repack: false");
    }
    const model_files original(m.options().path);
    std::unordered_map<std::string, const ggml_tensor *> loaded;
    for (const ggml_tensor * weight : list_weights(m)) loaded[ggml_get_name(weight)] = weight;

    gguf_writer writer;
    copy_model_metadata(writer, original);
    for (const auto & [file, stored] : original.tensors()) {
        const gguf_tensor & tensor = *stored;
        const auto found = loaded.find(tensor.name);
        const bool same =
            found != loaded.end() && found->second->type == tensor.type && ggml_nbytes(found->second) == tensor.bytes;
        // llama.cpp does not load tensors that it does not use: these are copied unchanged.
        byte_source bytes = same ? bytes_of(found->second)
                                 : [from = file, &tensor](const byte_sink & sink) { from->read(tensor, sink); };
        writer.add(tensor.name, tensor.type, {tensor.shape.begin(), tensor.shape.end()}, std::move(bytes));
    }
    writer.write(path);
}

}
