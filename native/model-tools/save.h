#pragma once

#include "model/load.h"

#include <string>

namespace llamatune {

// Writes the weights as they are in memory now (after full-parameter training) with the metadata of the file that the
// model was loaded from, whole or not at all. That file must still be there; it may be the destination.
// Throws error: MODEL_NOT_FOUND and the like (the original), OUTPUT_NOT_WRITABLE, MODEL_NOT_TRAINABLE.
void save_model(const model & m, const std::string & path);

}
