#include "optim/parameter.h"

#include "core/error.h"

#include <map>

namespace llamatune {

namespace {

ggml_backend_buffer_type_t memory_of(const ggml_tensor * t) {
    ggml_backend_buffer_t buffer = t->view_src ? t->view_src->buffer : t->buffer;
    // Tensors cannot be allocated in the memory of a mapped file.
    return ggml_backend_buffer_is_host(buffer) ? ggml_backend_cpu_buffer_type() : ggml_backend_buffer_get_type(buffer);
}

ggml_backend_buffer_ptr allocate(ggml_backend_buffer_type_t type, const std::vector<ggml_tensor *> & tensors,
                                 const std::string & purpose) {
    const size_t alignment = ggml_backend_buft_get_alignment(type);
    const auto padded_size = [&](ggml_tensor * t) {
        return GGML_PAD(ggml_backend_buft_get_alloc_size(type, t), alignment);
    };
    size_t size = alignment;
    for (ggml_tensor * t : tensors) size += padded_size(t);
    ggml_backend_buffer_ptr buffer{ggml_backend_buft_alloc_buffer(type, size)};
    if (!buffer) {
        throw error("OUT_OF_MEMORY", "out of memory allocating " + purpose + " (" + std::to_string(size) + " bytes)",
                    "Lower the rank, or train fewer targets.");
    }
    char * address = static_cast<char *>(ggml_backend_buffer_get_base(buffer.get()));
    for (ggml_tensor * t : tensors) {
        ggml_backend_tensor_alloc(buffer.get(), t, address);
        address += padded_size(t);
    }
    ggml_backend_buffer_clear(buffer.get(), 0);
    return buffer;
}

std::vector<ggml_tensor *> values_of(const std::vector<trained_tensor> & tensors) {
    std::vector<ggml_tensor *> values;
    for (const trained_tensor & t : tensors) values.push_back(t.value);
    return values;
}

}

tensors_like::tensors_like(const std::vector<ggml_tensor *> & originals, const std::string & purpose)
    : ctx_(ggml_init({ggml_tensor_overhead() * (2 * originals.size() + 1), nullptr, true})) {
    std::map<ggml_backend_buffer_type_t, std::vector<ggml_tensor *>> by_memory;
    for (const ggml_tensor * original : originals) {
        tensors_.push_back(ggml_dup_tensor(ctx_.get(), original));
        by_memory[memory_of(original)].push_back(tensors_.back());
    }
    for (const auto & [type, tensors] : by_memory) {
        buffers_.push_back(allocate(type, tensors, purpose));
        ggml_backend_buffer_t buffer = buffers_.back().get();
        whole_.push_back(ggml_new_tensor_1d(ctx_.get(), GGML_TYPE_F32,
                                            int64_t(ggml_backend_buffer_get_size(buffer) / sizeof(float))));
        ggml_backend_tensor_alloc(buffer, whole_.back(), ggml_backend_buffer_get_base(buffer));
    }
}

size_t tensors_like::bytes() const {
    size_t n = 0;
    for (const auto & buffer : buffers_) n += ggml_backend_buffer_get_size(buffer.get());
    return n;
}

void tensors_like::clear() {
    for (const auto & buffer : buffers_) ggml_backend_buffer_clear(buffer.get(), 0);
}

parameter_set::parameter_set(const std::vector<trained_tensor> & tensors)
    : gradients_(values_of(tensors), "the gradients") {
    for (size_t i = 0; i < tensors.size(); i++) {
        ggml_tensor * gradient = gradients_.all()[i];
        ggml_format_name(gradient, "grad:%s", tensors[i].name.c_str());
        all_.push_back({tensors[i], gradient});
    }
}

std::vector<ggml_tensor *> parameter_set::values() const {
    std::vector<ggml_tensor *> values;
    for (const parameter & p : all_) values.push_back(p.value);
    return values;
}

int64_t parameter_set::n_elements() const {
    int64_t n = 0;
    for (const parameter & p : all_) n += ggml_nelements(p.value);
    return n;
}

}
