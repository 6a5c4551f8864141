#include "gguf/edited.h"

#include "harness.h"

#include <ggml-cpp.h>

namespace harness {

std::string edited_gguf(const std::string & from, const std::string & to,
                        const std::function<void(gguf_context *)> & edit) {
    ggml_context * data = nullptr;
    const gguf_context_ptr source(gguf_init_from_file(from.c_str(), {false, &data}));
    const ggml_context_ptr owner(data);
    CHECK(source != nullptr);
    const gguf_context_ptr gguf(gguf_init_empty());
    gguf_set_kv(gguf.get(), source.get());
    for (int64_t i = 0; i < gguf_get_n_tensors(source.get()); i++)
        gguf_add_tensor(gguf.get(), ggml_get_tensor(data, gguf_get_tensor_name(source.get(), i)));
    edit(gguf.get());
    CHECK(gguf_write_to_file(gguf.get(), to.c_str(), false));
    return to;
}

}
