#pragma once

#include "core/rng.h"
#include "data/batch.h"
#include "model/load.h"

#include "llama.h"

// Makes a micro-batch of random tokens of this model's vocabulary. Every position is a target except the last of each
// row.
inline llamatune::micro_batch tiny_batch(const llamatune::model & m, uint32_t rows, uint32_t length,
                                         uint64_t seed = 7) {
    const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m.handle()));
    llamatune::rng random(seed);
    llamatune::micro_batch batch;
    batch.shape.n_rows = batch.n_filled_rows = batch.n_samples = rows;
    batch.shape.sequence_length = length;
    batch.n_tokens = rows * length;
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < length; i++) {
            batch.tokens.push_back(int32_t(random.below(uint64_t(n_vocab))));
            batch.positions.push_back(int32_t(i));
            batch.segment_id.push_back(0);
        }
        for (uint32_t i = 0; i + 1 < length; i++) {
            batch.target_position.push_back(int32_t(row * length + i));
            batch.target_token.push_back(batch.tokens[row * length + i + 1]);
            batch.target_weight.push_back(1.0f);
        }
    }
    return batch;
}
