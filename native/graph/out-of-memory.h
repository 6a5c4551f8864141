#pragma once

#include "core/error.h"

#include <string>

namespace llamatune {

// The error of a micro-batch that needs more memory than there is. `during`: "allocating the inputs", "running the
// graph".
inline error out_of_memory(const std::string & during) {
    return error("OUT_OF_MEMORY", "out of memory " + during,
                 "Lower microBatchTokens, sequenceLength or microBatchSize, or turn gradientCheckpointing on and "
                 "weightCache off.");
}

}
