#include "graph/clone.h"

#include "core/copy-node.h"
#include "core/error.h"

#include <cstring>

namespace llamatune {

ggml_tensor * cloner::operator()(ggml_tensor * node) {
    const size_t known = order_.tensors().size();
    order_.add(node);
    for (size_t i = known; i < order_.tensors().size(); i++) {
        ggml_tensor * t = order_.tensors()[i];
        copy_[t] = copy_one(t);
    }
    return copy_.at(node);
}

ggml_tensor * cloner::copy_one(ggml_tensor * node) {
    if (node->op == GGML_OP_NONE) { return leaf_ ? leaf_(node) : node; }
    const auto source = [&](int i) { return copy_.at(node->src[i]); };
    ggml_tensor * copy = nullptr;
    switch (node->op) {
    case GGML_OP_RESHAPE: copy = ggml_reshape(ctx_, source(0), node); break;
    case GGML_OP_PERMUTE: {
        int axes[GGML_MAX_DIMS];
        std::memcpy(axes, node->op_params, sizeof(axes));
        copy = ggml_permute(ctx_, source(0), axes[0], axes[1], axes[2], axes[3]);
        break;
    }
    case GGML_OP_TRANSPOSE: copy = ggml_transpose(ctx_, source(0)); break;
    case GGML_OP_VIEW: {
        size_t offset;
        std::memcpy(&offset, node->op_params, sizeof(offset));
        ggml_tensor * base = source(0);
        if (base->type != node->src[0]->type || !ggml_are_same_stride(base, node->src[0])) {
            throw error("GRAPH_UNSUPPORTED", std::string("the source of the view ") + node->name +
                                                 " has another layout in the training graph");
        }
        copy = ggml_view_4d(ctx_, base, node->ne[0], node->ne[1], node->ne[2], node->ne[3], node->nb[1], node->nb[2],
                            node->nb[3], offset);
        if (copy->nb[0] != node->nb[0]) {
            throw error("GRAPH_UNSUPPORTED",
                        std::string("the rows of the view ") + node->name + " are not dense in memory");
        }
        break;
    }
    case GGML_OP_SET_ROWS: copy = ggml_set_rows(ctx_, source(2), source(0), source(1)); break;
    default:
        copy = copy_node(ctx_, node, copy_memory::separate, [&](ggml_tensor * t) { return copy_.at(t); });
        if (node->op == GGML_OP_CPY) {
            copy->src[1] = copy; // a copy into another tensor becomes a copy into a new one
        } else if (node->op == GGML_OP_SET || node->op == GGML_OP_ACC) {
            copy->op_params[4] = 0; // not in place, so that the rest of the tensor is copied too
        }
    }
    ggml_set_name(copy, node->name);
    nodes_.push_back(copy);
    return copy;
}

}
