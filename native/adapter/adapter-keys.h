#pragma once

#include <string>

// Names in an adapter's GGUF file: those of llama.cpp, and llamatune's additional records.
namespace llamatune::adapter_keys {

inline const std::string suffix_a = ".lora_a";
inline const std::string suffix_b = ".lora_b";

inline constexpr const char * alpha = "adapter.lora.alpha";

inline constexpr const char * rank = "llamatune.lora.rank";       // only if all pairs have the same rank
inline constexpr const char * targets = "llamatune.lora.targets"; // weight names
inline constexpr const char * ranks = "llamatune.lora.ranks";     // of each target
inline constexpr const char * rs_lora = "llamatune.lora.rs_lora";
inline constexpr const char * base_name = "llamatune.base.name";
inline constexpr const char * base_embedding_length = "llamatune.base.embedding_length";
inline constexpr const char * base_block_count = "llamatune.base.block_count";
inline constexpr const char * base_shapes = "llamatune.base.shapes";

}
