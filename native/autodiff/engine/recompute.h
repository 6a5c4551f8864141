#pragma once

#include "autodiff/engine/gradients.h"

#include <cstddef>
#include <vector>

namespace llamatune {

// Where to cut a forward graph so that its backward pass needs little memory when it keeps only what crosses the cuts
// and computes the rest again, one piece at a time. Found from the graph alone: between layers hardly anything but the
// residual stream is still needed, so that is where the cuts fall; what later layers share is kept as well. Somewhat
// more than the least memory is taken where that spares products: after a layer's attention too, its last one is not
// needed. `forward` is a list in execution order, `result` what is read from outside. Returns, ascending, the indices
// at which a new piece starts; none where cutting saves nothing.
std::vector<size_t> find_cuts(const std::vector<ggml_tensor *> & forward, const ggml_tensor * result);

// Is this a clone that run_backward() made? (By its name: for profiles and messages.)
bool is_recomputed(const ggml_tensor * node);

// run_backward() piece by piece, from the last to the first: before a piece is differentiated its nodes are cloned, so
// that the originals' memory is free once the forward pass is over. Clones run where something of the backward pass
// reads them: what only the next piece needs (a layer's last product) is not computed again. The last piece stays as
// it is, since its backward follows at once.
void run_backward(gradients & g, const std::vector<ggml_tensor *> & forward, const std::vector<size_t> & cuts);

}
