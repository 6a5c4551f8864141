#include "train/tensor-copies.h"

#include <ggml-backend.h>

namespace llamatune {

void tensor_copies::allocate() {
    values_.resize(tensors_.size());
    for (size_t i = 0; i < values_.size(); i++) values_[i].resize(ggml_nbytes(tensors_[i]));
}

void tensor_copies::store() {
    allocate();
    for (size_t i = 0; i < values_.size(); i++)
        ggml_backend_tensor_get(tensors_[i], values_[i].data(), 0, values_[i].size());
}

void tensor_copies::load() {
    for (size_t i = 0; i < values_.size(); i++)
        ggml_backend_tensor_set(tensors_[i], values_[i].data(), 0, values_[i].size());
}

}
