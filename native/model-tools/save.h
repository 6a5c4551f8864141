#pragma once

#include "model/load.h"

#include <string>

namespace llamatune {

// Writes the weights as they are in memory now (after full-parameter training) with the metadata of the file that the
// model was loaded from, atomically. That file must still exist; it may be the destination. Throws error
// OUTPUT_NOT_WRITABLE, MODEL_NOT_TRAINABLE, and the errors of gguf_reader for the original.
void save_model(const model & m, const std::string & path);

}
