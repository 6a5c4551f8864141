#include "graph/input-memory.h"

#include "graph/out-of-memory.h"

#include <string>

namespace llamatune {

ggml_backend_buffer_t input_memory::reserve(size_t bytes) {
    if (buffers_.empty() || ggml_backend_buffer_get_size(buffers_.back().get()) < bytes) {
        ggml_backend_buffer_ptr buffer{ggml_backend_buft_alloc_buffer(type_, bytes)};
        if (!buffer) throw out_of_memory("allocating the inputs (" + std::to_string(bytes) + " bytes)");
        buffers_.push_back(std::move(buffer));
    }
    return buffers_.back().get();
}

size_t input_memory::bytes() const {
    size_t total = 0;
    for (const ggml_backend_buffer_ptr & buffer : buffers_) total += ggml_backend_buffer_get_size(buffer.get());
    return total;
}

}
