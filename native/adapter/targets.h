#pragma once

#include "model/load.h"

#include <string>
#include <vector>

struct ggml_tensor;

namespace llamatune {

// A weight that gets a LoRA pair.
struct lora_target {
    std::string name; // "blk.3.attn_q.weight"
    ggml_tensor * weight;
};

// Returns the weights that `entries` name, ordered by block and name. An entry is a weight kind, which names exactly
// that weight of every block ("attn_q" is blk.N.attn_q.weight and never attn_q_norm; "output" is output.weight), or a
// whole tensor name in which * stands for any characters and ? for one ("blk.1?.ffn_*.weight"). Throws error NO_TARGETS
// (no entries), TARGET_UNKNOWN (an entry matches nothing), TARGET_UNSUPPORTED (an entry matches only tensors that are
// not matrices of linear layers: norms, embeddings, convolutions).
std::vector<lora_target> match_targets(const model & base, const std::vector<std::string> & entries);

// Does the weight `x` come before `y`, by block and name? This order does not depend on llama.cpp's; optimizer state is
// saved in it.
bool in_target_order(const std::string & x, const std::string & y);

// The kinds of weights of this model that can be targets, sorted: "attn_k", "attn_output", …
std::vector<std::string> target_kinds(const model & base);

// Do graphs use this weight as the matrix of MUL_MAT, or of MUL_MAT_ID for experts?
bool can_be_target(const ggml_tensor * weight);

}
