#pragma once

#include "train/options.h"
#include "train/trainable-weights.h"

namespace llamatune {

// Throws error OUTPUT_NOT_WRITABLE, with both sizes, if the output or a checkpoint clearly does not fit on its disk.
void require_disk_space(const trainable_weights & weights, const train_options & options);

// Writes the output of a run. If this fails, e.g. on a full disk, writes it to a new folder in checkpoint.directory or
// in the system's folder for temporary files, so that the training is not lost, and throws error OUTPUT_NOT_WRITABLE,
// whose message names that file.
void save_output(const trainable_weights & weights, const train_options & options);

}
