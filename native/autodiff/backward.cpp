#include "autodiff/backward.h"

#include "autodiff/rule-table.h"
#include "core/error.h"

namespace llamatune {

void mark_gradient_path(gradients & g, const std::vector<ggml_tensor *> & forward) {
    for (const ggml_tensor * node : forward) {
        if (has_no_gradient(node)) {
            continue;
        }
        for (const ggml_tensor * source : node->src) {
            if (g.wants(source)) {
                g.want(node);
                break;
            }
        }
    }
}

void run_backward(gradients & g, const std::vector<ggml_tensor *> & forward) {
    for (auto it = forward.rbegin(); it != forward.rend(); ++it) {
        ggml_tensor * node = *it;
        ggml_tensor * dy = g.of(node);
        if (!dy || node->op == GGML_OP_NONE) {
            continue;
        }
        if (const node_rule * own = g.own_rule(node)) {
            (*own)(g, node, g.contiguous(dy));
            continue;
        }
        const rule apply = find_rule(node);
        if (!apply) {
            throw error("UNSUPPORTED_OP", std::string("expected an op with a gradient rule but received ") + ggml_op_desc(node));
        }
        apply(g, node, g.contiguous(dy));
    }
}

}
