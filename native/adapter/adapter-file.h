#pragma once

#include "adapter/adapter.h"

#include <map>
#include <memory>
#include <string>

namespace llamatune {

// Text to keep with an adapter: each is written as "llamatune.<key>" and means nothing to the readers here.
using adapter_metadata = std::map<std::string, std::string>;

// Writes the adapter as a GGUF that stock llama.cpp loads (llama_adapter_lora_init), whole or not at all. It also
// records the base model: architecture, name, sizes and hashes of its tensors' names with shapes and with types.
// Throws error OUTPUT_NOT_WRITABLE.
void write_adapter(const std::string & path, const adapter & from, const adapter_metadata & metadata = {});

// An adapter with the weights, ranks, alpha and values of the file, bit for bit where the file is F32 (F16 and BF16 are
// widened). Files that other tools wrote are read as well; what llamatune recorded is checked where it is there. The
// base may be another quantization of the same model. Throws error ADAPTER_NOT_FOUND, ADAPTER_INVALID (not a LoRA
// adapter, cut short, malformed), ADAPTER_MISMATCH (of another model), OUT_OF_MEMORY.
std::unique_ptr<adapter> read_adapter(const std::string & path, const std::shared_ptr<model> & base);

// The same into an adapter that is there already, whose weights, ranks and alpha the file must have.
void read_adapter_into(const std::string & path, adapter & into);

}
