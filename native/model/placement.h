#pragma once

#include "gguf/reader.h"

#include <ggml-backend.h>

#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// Weights whose names hold a match of `pattern` (a regular expression) lie on `device`, wherever their layer goes.
struct placement_rule {
    std::string pattern;
    ggml_backend_dev_t device = nullptr;
};

// Throws error PLACEMENT_INVALID with every problem: a pattern is not a regular expression or matches no weight of the
// file, or a rule's device is neither the CPU nor one of `devices`, the chosen ones (not set: llama.cpp chooses).
void check_placement(const std::vector<placement_rule> & rules,
                     const std::optional<std::vector<ggml_backend_dev_t>> & devices, const gguf_reader & file);

// Throws error PLACEMENT_INVALID where there are more devices than ggml's scheduler takes.
void check_device_count(const std::vector<ggml_backend_dev_t> & devices);

// Throws error PLACEMENT_INVALID unless there is one proportion per device, or none.
void check_split(const std::vector<float> & proportions, const std::vector<ggml_backend_dev_t> & devices);

}
