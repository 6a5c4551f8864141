#pragma once

#include "autodiff/engine/gradients.h"

#include <cstddef>
#include <vector>

namespace llamatune {

// Gradient checkpointing: finds where to cut a forward graph, so that its backward pass keeps only the tensors that
// cross the cuts and recomputes the others, one piece at a time. The cuts are found from the graph alone and fall
// between layers, where little more than the residual stream is needed later. They may need somewhat more than the
// minimal memory if that saves products: a piece that ends after a layer's attention does not repeat the last product.
// `forward` is in execution order; `result` is read from outside. Returns the ascending indices at which a new piece
// starts, or none if cutting saves no memory.
std::vector<size_t> find_cuts(const std::vector<ggml_tensor *> & forward, const ggml_tensor * result);

// Is this a copy that run_backward() made, judging by its name? For profiles and messages.
bool is_recomputed(const ggml_tensor * node);

// Runs run_backward() piece by piece, from the last to the first. The nodes of a piece are copied before it is
// differentiated, so that the originals' memory is free after the forward pass. A copy runs only if the backward pass
// reads it: a result that only the next piece needs (a layer's last product) is not recomputed. The last piece is not
// copied, since its backward pass follows at once.
void run_backward(gradients & g, const std::vector<ggml_tensor *> & forward, const std::vector<size_t> & cuts);

}
