#pragma once

#include "train/step.h"

#include <string>
#include <vector>

namespace llamatune {

// The value of the environment variable LLAMATUNE_PROFILE, or empty. If it names a file, a run times every operation
// (which makes it slower) and finally writes the table to the file.
std::string profile_path();

// Writes the milliseconds per micro-batch by part and by operation, slowest first: as a table, or as JSON if the path
// ends in ".json". Throws error OUTPUT_NOT_WRITABLE.
void write_profile(const std::string & path, const std::vector<profile_entry> & entries, int64_t n_micro_batches);

}
