#pragma once

#include "model/load.h"
#include "spec.h"

#include <memory>
#include <string>

namespace gpu_kit {

struct loaded {
    std::shared_ptr<llamatune::model> model;
    ggml_backend_dev_t device; // null: the CPU
    double make_seconds;       // 0 if the model existed
    double load_seconds;
    uint64_t free_bytes_before; // of the device, before the model was loaded
};

// Loads a model of this shape and weight type with random weights, all layers on the device; writes it to spec.folder
// first if it is not there. Its vocabulary is made up: only token ids are used.
loaded load_model(const spec & s, const shape & sh);

// The free memory of a device in bytes; 0 for the CPU.
uint64_t free_bytes(ggml_backend_dev_t device);

}
