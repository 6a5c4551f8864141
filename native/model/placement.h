#pragma once

#include "gguf/reader.h"

#include <ggml-backend.h>

#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// Puts weights whose names match `pattern` (a regular expression, anywhere in the name) on `device` instead of their
// layer's device.
struct placement_rule {
    std::string pattern;
    ggml_backend_dev_t device = nullptr;
};

// Throws error PLACEMENT_INVALID with every problem: a pattern that is not a regular expression or matches no weight of
// the file, or a rule's device that is neither the CPU nor one of the chosen `devices` (not set: llama.cpp chooses
// them).
void check_placement(const std::vector<placement_rule> & rules,
                     const std::optional<std::vector<ggml_backend_dev_t>> & devices, const gguf_reader & file);

// Throws error PLACEMENT_INVALID if there are more devices than ggml's scheduler supports.
void check_device_count(const std::vector<ggml_backend_dev_t> & devices);

// Throws error PLACEMENT_INVALID unless there is one proportion per device or none at all.
void check_split(const std::vector<float> & proportions, const std::vector<ggml_backend_dev_t> & devices);

}
