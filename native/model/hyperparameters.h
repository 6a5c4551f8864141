#pragma once

#include "gguf/reader.h"

namespace llamatune {

// Checks the hyperparameters that llama.cpp or a kernel divides by or asserts on, so that the message names the key
// instead of an assertion. Throws error MODEL_INVALID, which names every wrong key with its value.
void check_hyperparameters(const gguf_reader & file);

}
