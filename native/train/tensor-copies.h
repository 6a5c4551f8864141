#pragma once

#include <ggml.h>

#include <vector>

namespace llamatune {

// Copies of tensors in host memory, which can be written back: the trained weights of the best evaluation, or the
// weights and the optimizer's state of a good step.
class tensor_copies {
public:
    // The tensors must outlive this.
    explicit tensor_copies(std::vector<ggml_tensor *> tensors) : tensors_(std::move(tensors)) {}

    bool stored() const { return !values_.empty(); }
    void store(); // copies the tensors
    void load();  // writes the copies back

    const std::vector<ggml_tensor *> & tensors() const { return tensors_; }
    // The stored bytes of one tensor. allocate() makes room for values that are read from a file.
    std::vector<char> & value(size_t tensor) { return values_[tensor]; }
    void allocate();

private:
    std::vector<ggml_tensor *> tensors_;
    std::vector<std::vector<char>> values_; // one per tensor; empty before the first store()
};

}
