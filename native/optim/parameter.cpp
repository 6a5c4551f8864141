#include "optim/parameter.h"

#include "core/error.h"

#include <map>

namespace llamatune {

namespace {

ggml_backend_buffer_type_t home_of(const ggml_tensor * t) {
    ggml_backend_buffer_t buffer = t->view_src ? t->view_src->buffer : t->buffer;
    // A file mapped into memory is host memory, but no place to make new tensors in.
    return ggml_backend_buffer_is_host(buffer) ? ggml_backend_cpu_buffer_type() : ggml_backend_buffer_get_type(buffer);
}

}

parameter_set::parameter_set(const std::vector<parameter_value> & values) {
    ctx_.reset(ggml_init({ggml_tensor_overhead() * (values.size() * 3 + 1), nullptr, true}));
    struct needs {
        std::vector<ggml_tensor *> gradients, moments;
    };
    std::map<ggml_backend_buffer_type_t, needs> by_type;
    for (const parameter_value & v : values) {
        parameter p;
        p.name = v.name;
        p.value = v.value;
        p.learning_rate_scale = v.learning_rate_scale;
        p.decay = v.decay;
        p.gradient = ggml_dup_tensor(ctx_.get(), v.value);
        p.first_moment = ggml_dup_tensor(ctx_.get(), v.value);
        p.second_moment = ggml_dup_tensor(ctx_.get(), v.value);
        ggml_format_name(p.gradient, "grad:%s", v.name.c_str());
        needs & n = by_type[home_of(v.value)];
        n.gradients.push_back(p.gradient);
        n.moments.push_back(p.first_moment);
        n.moments.push_back(p.second_moment);
        all_.push_back(p);
    }
    const auto place = [](ggml_backend_buffer_type_t type, const std::vector<ggml_tensor *> & tensors) {
        const size_t alignment = ggml_backend_buft_get_alignment(type);
        size_t size = alignment;
        for (ggml_tensor * t : tensors) size += GGML_PAD(ggml_backend_buft_get_alloc_size(type, t), alignment);
        ggml_backend_buffer_ptr buffer{ggml_backend_buft_alloc_buffer(type, size)};
        if (!buffer) {
            throw error("OUT_OF_MEMORY",
                        "expected " + std::to_string(size) + " bytes for gradients and moments but received none",
                        "Lower the rank, or train fewer targets.");
        }
        char * at = static_cast<char *>(ggml_backend_buffer_get_base(buffer.get()));
        for (ggml_tensor * t : tensors) {
            ggml_backend_tensor_alloc(buffer.get(), t, at);
            at += GGML_PAD(ggml_backend_buft_get_alloc_size(type, t), alignment);
        }
        ggml_backend_buffer_clear(buffer.get(), 0);
        return buffer;
    };
    for (const auto & [type, n] : by_type) {
        gradient_buffers_.push_back(place(type, n.gradients));
        moment_buffers_.push_back(place(type, n.moments));
    }
}

int64_t parameter_set::n_elements() const {
    int64_t n = 0;
    for (const parameter & p : all_) n += ggml_nelements(p.value);
    return n;
}

size_t parameter_set::bytes() const {
    size_t n = 0;
    for (const auto & b : gradient_buffers_) n += ggml_backend_buffer_get_size(b.get());
    for (const auto & b : moment_buffers_) n += ggml_backend_buffer_get_size(b.get());
    return n;
}

void parameter_set::zero_gradients() {
    for (const auto & buffer : gradient_buffers_) ggml_backend_buffer_clear(buffer.get(), 0);
}

}
