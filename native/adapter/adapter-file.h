#pragma once

#include "adapter/adapter-header.h"
#include "adapter/adapter.h"

#include <map>
#include <memory>
#include <string>

namespace llamatune {

// Text to keep with an adapter: each is written as "llamatune.<key>" and has no meaning for the readers here.
using adapter_metadata = std::map<std::string, std::string>;

// Writes the adapter as a GGUF that stock llama.cpp loads (llama_adapter_lora_init), whole or not at all. It also
// records rank, targets, rsLoRA and the base model: name, sizes and a hash of its tensors' names and shapes.
// Throws error OUTPUT_NOT_WRITABLE.
void write_adapter(const std::string & path, const adapter & from, const adapter_metadata & metadata = {});

// An adapter with the weights, ranks, alpha and values of the file, bit for bit where the file is F32 (other types are
// converted). The file must have passed check_compatible. Throws error OUT_OF_MEMORY, ADAPTER_INVALID.
std::unique_ptr<adapter> load_adapter(adapter_header & file, const std::shared_ptr<model> & base);

// The same from a path, for inference. Throws also what adapter_header and check_compatible throw.
std::unique_ptr<adapter> read_adapter(const std::string & path, const std::shared_ptr<model> & base);

}
