#pragma once

#include "adapter/adapter-header.h"
#include "adapter/adapter.h"
#include "model/load.h"

namespace llamatune {

// Checks an adapter file against a base model, for training and inference: the architecture, the names and shapes of
// all pairs and, if the file records its base model, the number of layers, the embedding length and the fingerprint of
// all tensor shapes (so another quantization of the same model is accepted).
//
// A file of another tool records no base model. It is accepted if every pair fits a weight. An adapter may cover only
// some layers, so an adapter of a shallower model of equal width cannot be detected then.
//
// Throws error ADAPTER_MISMATCH with every problem.
void check_compatible(const adapter_header & adapter, const model & base);

// Also checks that the adapter can be trained further: every pair belongs to a weight that can be a LoRA target, and
// the file holds nothing that a new adapter file would lose. Throws error ADAPTER_MISMATCH, TARGET_UNSUPPORTED.
void check_trainable(const adapter_header & adapter, const model & base);

// Compares given options with an adapter that is to be continued; options that are not set are taken from the adapter.
// `targets` are the weights that options.targets names. Throws error CONFIG_INVALID with every problem.
void check_options(const adapter_header & adapter, const adapter_options & options,
                   const std::vector<lora_target> & targets);

}
