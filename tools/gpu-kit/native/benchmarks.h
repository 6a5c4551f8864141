#pragma once

#include "spec.h"

#include <functional>

namespace gpu_kit {

// Receives what is measured so far: a process that runs out of time has then reported most of its results.
using row_sink = std::function<void(const nlohmann::json & row)>;

// Measures LoRA training: speed, memory and the fraction of the device's peak; with spec.profile instead the time of
// every operation.
nlohmann::json measure_training(const spec & s, const shape & sh, const row_sink & on_row);

// Measures prompt processing and generation.
nlohmann::json measure_generation(const spec & s, const shape & sh);

}
