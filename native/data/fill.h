#pragma once

#include "data/batch.h"
#include "data/pack.h"
#include "data/token-file.h"

namespace llamatune {

// Resets `out` to n_rows empty rows (padding only); its storage is reused.
void clear_batch(micro_batch & out, uint32_t n_rows, uint32_t sequence_length);

// Writes the samples of `r` into the next empty row of `out`.
void fill_row(micro_batch & out, const row & r, const token_file & file);

}
