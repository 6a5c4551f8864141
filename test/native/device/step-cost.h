#pragma once

#include "train/step.h"

#include <string>
#include <vector>

namespace step_cost {

// Names the ops, with their types, of nodes that the device does not run, each once.
std::vector<std::string> ops_on_host(const llamatune::step_graphs & graphs, ggml_backend_dev_t device);

// Prints the cost of a training step of LoRA (rank 8, on every linear layer) of the model in a file on a CUDA device.
// arguments: file, rows, tokens per row, and "checkpointing" or nothing. Returns an exit code.
int print(const std::vector<std::string> & arguments);

}
