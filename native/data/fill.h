#pragma once

#include "data/batch.h"
#include "data/pack.h"
#include "data/token-file.h"

namespace llamatune {

// Makes `out` n_rows empty rows (padding only), keeping its storage.
void clear_batch(micro_batch & out, uint32_t n_rows, uint32_t sequence_length);

// Writes the samples of `r` into the next empty row of `out`. Rows are to be written from first to last.
void fill_row(micro_batch & out, const row & r, const token_file & file);

}
