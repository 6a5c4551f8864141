#pragma once

#include "data/batch.h"
#include "data/pack.h"
#include "data/token-file.h"

namespace llamatune {

// Resets `out` to empty rows (padding only) of this shape; its storage is reused.
void clear_batch(micro_batch & out, const batch_shape & shape);

// Writes the samples of `r` into the next empty row of `out`.
void fill_row(micro_batch & out, const row & r, const token_file & file);

}
