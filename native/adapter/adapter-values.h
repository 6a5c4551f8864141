#pragma once

#include "model/load.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// A LoRA pair with its values in F32, row by row as PEFT stores them.
struct pair_values {
    std::string name; // of the weight
    int64_t rank = 0;
    int64_t experts = 1;
    std::vector<float> a; // [experts][rank][n_in]
    std::vector<float> b; // [experts][n_out][rank]
    // For token embeddings a is [n_vocab][rank] and b is [n_embd][rank].
};

template <class V>
void fields(V & v, pair_values & p) {
    v("name", p.name);
    v("rank", p.rank);
    v("experts", p.experts);
    v("a", p.a);
    v("b", p.b);
}

// The contents of an adapter file, for conversion to and from other formats.
struct adapter_values {
    float alpha = 0.0f; // as in the file: the scale is alpha / rank, or 1 if alpha is 0
    std::optional<bool> rs_lora;
    std::vector<pair_values> pairs;
};

template <class V>
void fields(V & v, adapter_values & a) {
    v("alpha", a.alpha);
    v("rsLora", a.rs_lora);
    v("pairs", a.pairs);
}

// Reads an adapter of this model. Throws the errors of read_adapter, and error ADAPTER_INVALID if values are not
// finite.
adapter_values read_adapter_values(const std::string & path, const std::shared_ptr<model> & base);

// Writes an adapter of this model. Throws error ADAPTER_INVALID (values are not finite), ADAPTER_MISMATCH (a pair does
// not fit its weight), OUT_OF_MEMORY, OUTPUT_NOT_WRITABLE.
void write_adapter_values(const std::string & path, const adapter_values & values, const std::shared_ptr<model> & base);

}
