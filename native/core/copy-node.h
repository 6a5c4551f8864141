#pragma once

#include <ggml.h>

#include <functional>

namespace llamatune {

enum class copy_memory {
    separate, // newly allocated, even if the node writes into another tensor's memory
    same      // the node's strides and the tensor whose memory it shares
};

// Copies a node's op and parameters, but not its name. `copy_of` maps each source, and the tensor whose memory the node
// shares, to its copy. A source that is the node itself becomes the copy itself.
ggml_tensor * copy_node(ggml_context * ctx, const ggml_tensor * node, copy_memory memory,
                        const std::function<ggml_tensor *(ggml_tensor *)> & copy_of);

}
