#pragma once

#include "core/ggml-ptr.h"

#include <ggml-backend.h>
#include <ggml.h>

#include <string>
#include <vector>

namespace llamatune {

// A trained tensor and what the optimizer keeps for it, all F32 and of one shape, beside it on its device.
struct parameter {
    std::string name;
    ggml_tensor * value;
    ggml_tensor * gradient;
    ggml_tensor * first_moment;
    ggml_tensor * second_moment;
    float learning_rate_scale = 1.0f; // LoRA+ trains B faster than A
    bool decay = true;                // weight decay applies
};

struct parameter_value {
    std::string name;
    ggml_tensor * value;
    float learning_rate_scale = 1.0f;
    bool decay = true;
};

// Gradients and moments for a set of tensors, zero at first.
class parameter_set {
public:
    // Throws error OUT_OF_MEMORY.
    explicit parameter_set(const std::vector<parameter_value> & values);

    const std::vector<parameter> & all() const { return all_; }
    int64_t n_elements() const;
    size_t bytes() const; // gradients and moments

    void zero_gradients();

private:
    std::vector<parameter> all_;
    ggml_context_ptr ctx_;
    std::vector<ggml_backend_buffer_ptr> gradient_buffers_;
    std::vector<ggml_backend_buffer_ptr> moment_buffers_;
};

}
