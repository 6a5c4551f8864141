#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

// The file of a checkpoint, "checkpoint-<step>-<run>.gguf", where `run` identifies the run in 8 hexadecimal digits, so
// that the runs in a folder never replace each other's checkpoints. src/files/names.ts knows this form.
struct listed_checkpoint {
    std::string path;
    int64_t step;
    std::string run; // empty for a file of an older version, "checkpoint-<step>.gguf"
};

std::string checkpoint_path(const std::string & directory, int64_t step, const std::string & run);

// Returns the checkpoints in a folder: those of the run that wrote last come first, and of each run the last step comes
// first. Empty if the folder cannot be read.
std::vector<listed_checkpoint> list_checkpoints(const std::string & directory);

// Returns a new identity of a run.
std::string new_run_id();

}
