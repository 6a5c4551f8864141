#pragma once

#include "gguf/reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// A weight's LoRA pair as an adapter file stores it.
struct stored_pair {
    std::string name; // of the weight
    const gguf_tensor * a;
    const gguf_tensor * b;
    int64_t rank() const { return b->shape[0]; }
};

// The base model as llamatune records it in an adapter file.
struct recorded_base {
    std::string name; // general.name, may be empty
    int64_t block_count;
    int64_t embedding_length;
    std::string shapes; // hash of all tensor names and shapes
};

template <class V>
void fields(V & v, recorded_base & b) {
    v("name", b.name);
    v("layers", b.block_count);
    v("embeddingLength", b.embedding_length);
    v("shapes", b.shapes);
}

// The header of an adapter file; no model is needed to read it. Files written by stock llama.cpp or by PEFT's
// conversion are read too; they record no base model.
class adapter_header {
public:
    // Throws error ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID (not a LoRA adapter, cut short, malformed).
    explicit adapter_header(const std::string & path);

    const std::string & path() const { return file.path(); }

    gguf_reader file;
    std::string architecture;
    float alpha = 0.0f;                     // llama.cpp's scale is alpha / rank, or 1 if alpha is 0
    std::optional<bool> rs_lora;            // recorded by llamatune; alpha then includes the factor sqrt(rank)
    std::vector<stored_pair> pairs;         // in file order
    std::vector<std::string> other_tensors; // norm weights, which llama.cpp ignores in an adapter
    std::optional<recorded_base> base;
    std::optional<int64_t> rank() const; // not set if the pairs have different ranks
    // The option alpha that gives this file's scale; not set if no value does.
    std::optional<float> option_alpha(bool rs_lora) const;

private:
    void read_pairs();
};

}
