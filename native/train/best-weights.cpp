#include "train/best-weights.h"

#include <ggml-backend.h>

namespace llamatune {

void best_weights::allocate() {
    values_.resize(parameters_.all().size());
    for (size_t i = 0; i < values_.size(); i++) values_[i].resize(ggml_nbytes(parameters_.all()[i].value));
}

void best_weights::store() {
    allocate();
    for (size_t i = 0; i < values_.size(); i++)
        ggml_backend_tensor_get(parameters_.all()[i].value, values_[i].data(), 0, values_[i].size());
}

void best_weights::load() {
    for (size_t i = 0; i < values_.size(); i++)
        ggml_backend_tensor_set(parameters_.all()[i].value, values_[i].data(), 0, values_[i].size());
}

}
