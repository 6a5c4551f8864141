#pragma once

#include "adapter/adapter-header.h"
#include "adapter/adapter.h"

#include <map>
#include <memory>
#include <string>

namespace llamatune {

// Free text to store with an adapter. Each entry is written as "llamatune.<key>"; llamatune itself never reads it.
using adapter_metadata = std::map<std::string, std::string>;

// Writes the adapter atomically as a GGUF that stock llama.cpp loads (llama_adapter_lora_init). The file also records
// rank, targets, rsLoRA and the base model: its name, sizes and a hash of its tensors' names and shapes. Throws error
// OUTPUT_NOT_WRITABLE.
void write_adapter(const std::string & path, const adapter & from, const adapter_metadata & metadata = {});

// Makes an adapter with the weights, ranks, alpha and values of the file: bit for bit if the file is F32, else
// converted. The file must have passed check_compatible. Throws error OUT_OF_MEMORY, ADAPTER_INVALID.
std::unique_ptr<adapter> load_adapter(adapter_header & file, const std::shared_ptr<model> & base);

// Checks and loads an adapter for inference. Also throws the errors of adapter_header and check_compatible.
std::unique_ptr<adapter> read_adapter(const std::string & path, const std::shared_ptr<model> & base);

}
