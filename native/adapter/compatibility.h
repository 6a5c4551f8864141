#pragma once

#include "adapter/adapter-header.h"
#include "adapter/adapter.h"
#include "model/load.h"

namespace llamatune {

// The one check of an adapter file against a base model, for training and inference: architecture, names and shapes of
// all pairs and, where the file records its base model, the number of layers, the embedding length and the fingerprint
// of all tensor shapes (so another quantization of the same model is accepted).
//
// A file of another tool records no base model. It is accepted when every pair fits a weight: an adapter may cover some
// layers only, so one of a shallower model with equal widths cannot be told from it.
//
// Throws error ADAPTER_MISMATCH with every problem.
void check_compatible(const adapter_header & adapter, const model & base);

// The same, and that the adapter can be trained further: every pair belongs to a weight that can be a LoRA target, and
// the file holds nothing that a new adapter file would lose. Throws error ADAPTER_MISMATCH, TARGET_UNSUPPORTED.
void check_trainable(const adapter_header & adapter, const model & base);

// Compares the options that a caller gave with an adapter that is to be continued; options that are not set are taken
// from the adapter. `targets`: the weights that options.targets names. Throws error CONFIG_INVALID with every problem.
void check_options(const adapter_header & adapter, const adapter_options & options,
                   const std::vector<lora_target> & targets);

}
