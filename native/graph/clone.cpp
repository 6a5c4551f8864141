#include "graph/clone.h"

#include "core/error.h"

#include <cstring>

namespace llamatune {

ggml_tensor * cloner::operator()(ggml_tensor * node) {
    // depth first with an explicit stack: graphs are thousands of nodes deep
    std::vector<ggml_tensor *> stack{node};
    while (!stack.empty()) {
        ggml_tensor * top = stack.back();
        if (copy_.count(top)) {
            stack.pop_back();
            continue;
        }
        bool ready = true;
        for (int i = GGML_MAX_SRC - 1; i >= 0; i--) {
            ggml_tensor * source = top->src[i];
            if (source && source != top && !copy_.count(source)) {
                stack.push_back(source);
                ready = false;
            }
        }
        if (ready) {
            copy_[top] = copy_one(top);
            stack.pop_back();
        }
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
            throw error("GRAPH_UNSUPPORTED", std::string("expected the source of view ") + node->name +
                                                 " to keep its layout but received another");
        }
        copy = ggml_view_4d(ctx_, base, node->ne[0], node->ne[1], node->ne[2], node->ne[3], node->nb[1], node->nb[2],
                            node->nb[3], offset);
        if (copy->nb[0] != node->nb[0]) {
            throw error("GRAPH_UNSUPPORTED", std::string("expected view ") + node->name + " to have dense rows");
        }
        break;
    }
    case GGML_OP_SET_ROWS: copy = ggml_set_rows(ctx_, source(2), source(0), source(1)); break;
    default: {
        copy = ggml_new_tensor(ctx_, node->type, GGML_MAX_DIMS, node->ne);
        copy->op = node->op;
        std::memcpy(copy->op_params, node->op_params, sizeof(copy->op_params));
        for (int i = 0; i < GGML_MAX_SRC; i++) {
            if (node->src[i]) copy->src[i] = node->src[i] == node ? copy : source(i);
        }
        if (node->op == GGML_OP_CPY) {
            copy->src[1] = copy; // a copy into a given place becomes a copy into a new one
        } else if (node->op == GGML_OP_SET || node->op == GGML_OP_ACC) {
            copy->op_params[4] = 0; // where the rest is in place already, the original does not copy it
        }
    }
    }
    ggml_set_name(copy, node->name);
    nodes_.push_back(copy);
    return copy;
}

}
