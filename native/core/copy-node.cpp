#include "core/copy-node.h"

#include <cstring>

namespace llamatune {

ggml_tensor * copy_node(ggml_context * ctx, const ggml_tensor * node, copy_memory memory,
                        const std::function<ggml_tensor *(ggml_tensor *)> & copy_of) {
    ggml_tensor * copy = ggml_new_tensor(ctx, node->type, GGML_MAX_DIMS, node->ne);
    copy->op = node->op;
    std::memcpy(copy->op_params, node->op_params, sizeof(copy->op_params));
    const auto copied = [&](ggml_tensor * t) { return t == node ? copy : copy_of(t); };
    for (int i = 0; i < GGML_MAX_SRC; i++) {
        if (node->src[i]) copy->src[i] = copied(node->src[i]);
    }
    if (memory == copy_memory::same) {
        std::memcpy(copy->nb, node->nb, sizeof(copy->nb));
        if (node->view_src) copy->view_src = copied(node->view_src);
        copy->view_offs = node->view_offs;
    }
    return copy;
}

}
