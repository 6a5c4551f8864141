#pragma once

#include "gguf/reader.h"

namespace llamatune {

// Checks the hyperparameters that llama.cpp or a kernel divides by or asserts on. Such an assertion can fail on a
// compute thread, where it would end the process. Throws error MODEL_INVALID that names every wrong key with its value.
void check_hyperparameters(const gguf_reader & file);

}
