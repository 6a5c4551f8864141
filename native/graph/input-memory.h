#pragma once

#include "core/ggml-ptr.h"

#include <cstddef>
#include <vector>

namespace llamatune {

// Memory for the inputs of graphs that run one at a time: all of them share one buffer.
class input_memory {
public:
    explicit input_memory(ggml_backend_buffer_type_t type) : type_(type) {}

    ggml_backend_buffer_type_t type() const { return type_; }

    // Returns a buffer of at least this size. Buffers that were returned before stay valid. Throws error OUT_OF_MEMORY.
    ggml_backend_buffer_t reserve(size_t bytes);

    size_t bytes() const; // of all buffers

private:
    ggml_backend_buffer_type_t type_;
    std::vector<ggml_backend_buffer_ptr> buffers_; // the last one is the largest
};

}
