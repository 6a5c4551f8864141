#pragma once

#include <cstdint>
#include <string>

namespace llamatune {

struct quantize_options {
    std::string input, output; // GGUF files
    std::string type;          // of the matrices: see weight-type.h
    int32_t n_threads = 0;     // 0: all physical cores
};

template <class V>
void fields(V & v, quantize_options & o) {
    v("input", o.input);
    v("output", o.output);
    v("type", o.type);
    v("threads", o.n_threads);
}

// Writes `input` with its matrices stored as `type` to `output`, atomically. Weights that are already quantized are
// requantized, which loses more than quantizing the original would. Throws error MODEL_NOT_FOUND, NOT_A_GGUF,
// MODEL_TRUNCATED, UNKNOWN_WEIGHT_TYPE, OUTPUT_CONFLICT, OUTPUT_NOT_WRITABLE, QUANTIZE_FAILED.
void quantize_model(const quantize_options & options);

}
