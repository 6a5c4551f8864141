#pragma once

#include "core/ggml-ptr.h"

#include <ggml-backend.h>
#include <ggml.h>

#include <string>
#include <vector>

namespace llamatune {

// A tensor that training changes.
struct trained_tensor {
    std::string name;
    ggml_tensor * value;
    float learning_rate_scale = 1.0f; // LoRA+ trains B faster than A
    bool decay = true;                // weight decay applies
};

struct parameter : trained_tensor {
    ggml_tensor * gradient; // F32, of the value's shape
};

// For each of some tensors, a zero tensor of the same type and shape on the same device.
class tensors_like {
public:
    // `purpose` names them in the error. Throws error OUT_OF_MEMORY.
    tensors_like(const std::vector<ggml_tensor *> & originals, const std::string & purpose);

    const std::vector<ggml_tensor *> & all() const { return tensors_; }
    // All numbers of a buffer as one F32 vector, for each buffer. Between the tensors there are zeros.
    const std::vector<ggml_tensor *> & whole_buffers() const { return whole_; }
    size_t bytes() const;
    void clear();

private:
    ggml_context_ptr ctx_;
    std::vector<ggml_tensor *> tensors_;
    std::vector<ggml_tensor *> whole_;
    std::vector<ggml_backend_buffer_ptr> buffers_; // one per type of memory
};

// The trained tensors and their gradients, which start at zero.
class parameter_set {
public:
    // Throws error OUT_OF_MEMORY.
    explicit parameter_set(const std::vector<trained_tensor> & tensors);

    const std::vector<parameter> & all() const { return all_; }
    std::vector<ggml_tensor *> values() const;
    int64_t n_elements() const;
    size_t gradient_bytes() const { return gradients_.bytes(); }
    const std::vector<ggml_tensor *> & gradient_buffers() const { return gradients_.whole_buffers(); }

    void zero_gradients() { gradients_.clear(); }

private:
    tensors_like gradients_;
    std::vector<parameter> all_;
};

}
