#pragma once

// Computes the logits of every position of a batch, by llama_decode and by the training graph.

#include "data/batch.h"
#include "model/load.h"

#include <memory>
#include <string>
#include <vector>

struct llama_adapter_lora;

namespace logits {

// `adapter` is a LoRA adapter file for llama_adapter_lora_init; empty: none.
std::vector<float> by_decode(const llamatune::model & m, const llamatune::micro_batch & batch,
                             const std::string & adapter = "");

std::vector<float> by_training_graph(const std::shared_ptr<llamatune::model> & m, const llamatune::micro_batch & batch,
                                     llama_adapter_lora * adapter = nullptr);

// Normalised mean squared error: Σ (a - b)² / Σ b².
double nmse(const std::vector<float> & a, const std::vector<float> & b);

}
