#pragma once

#include "spec.h"

namespace gpu_kit {

// Measures LoRA training: speed, memory and the fraction of the device's peak; with spec.profile instead the time of
// every operation.
nlohmann::json measure_training(const spec & s, const shape & sh);

// Measures prompt processing and generation.
nlohmann::json measure_generation(const spec & s, const shape & sh);

}
