#pragma once

#include "train/step.h"

#include <string>
#include <vector>

namespace llamatune {

// The file that the variable LLAMATUNE_PROFILE names, or empty: a run then times every operation (which makes it
// slower) and writes the table there at its end.
std::string profile_path();

// Milliseconds per micro-batch by part and by operation, slowest first. Throws error OUTPUT_NOT_WRITABLE.
void write_profile(const std::string & path, const std::vector<profile_entry> & entries, int64_t n_micro_batches);

}
