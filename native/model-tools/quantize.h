#pragma once

#include <cstdint>
#include <string>

namespace llamatune {

// Writes `input` with its matrices stored as `type` (see weight-type.h) to `output`, whole or not at all. Weights that
// are quantized already are requantized, which loses more than quantizing the original would.
// Throws error: MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_TRUNCATED, UNKNOWN_WEIGHT_TYPE, OUTPUT_NOT_WRITABLE,
// QUANTIZE_FAILED.
void quantize_model(const std::string & input, const std::string & output, const std::string & type, int32_t n_threads);

}
