#pragma once

#include <ggml.h>

#include <functional>

namespace llamatune {

enum class node_place {
    own,  // memory of its own, also where the node writes into another tensor's
    alike // strides, and the tensor whose memory it shares, as the node has them
};

// A copy of `node` without a name: its op and parameters, with `copy_of` each of its sources (and of the tensor whose
// memory it shares). A source that is the node itself becomes the copy itself.
ggml_tensor * copy_node(ggml_context * ctx, const ggml_tensor * node, node_place place,
                        const std::function<ggml_tensor *(ggml_tensor *)> & copy_of);

}
