#include "autodiff/engine/backward.h"

#include "autodiff/engine/rule.h"
#include "core/error.h"

#include <iterator>
#include <unordered_set>

namespace llamatune {

void mark_gradient_path(gradients & g, const std::vector<ggml_tensor *> & forward, const ggml_tensor * result) {
    for (const ggml_tensor * node : forward) {
        if (has_no_gradient(node)) { continue; }
        for (const ggml_tensor * source : node->src) {
            if (g.wants(source)) {
                g.want(node);
                break;
            }
        }
    }
    std::unordered_set<const ggml_tensor *> reached;
    if (!forward.empty()) reached.insert(result ? result : forward.back());
    for (auto it = forward.rbegin(); it != forward.rend(); ++it) {
        if (!g.wants(*it)) { continue; }
        if (reached.count(*it)) {
            reached.insert(std::begin((*it)->src), std::end((*it)->src));
        } else {
            g.unwant(*it);
        }
    }
}

void run_backward(gradients & g, const std::vector<ggml_tensor *> & forward) {
    for (auto it = forward.rbegin(); it != forward.rend(); ++it) {
        ggml_tensor * node = *it;
        ggml_tensor * dy = g.of(node);
        if (!dy || node->op == GGML_OP_NONE) { continue; }
        if (const node_rule * fused = g.node_rule_of(node)) {
            (*fused)(g, node, g.contiguous(dy));
            continue;
        }
        const rule apply = find_rule(node);
        if (!apply) { throw error("UNSUPPORTED_OP", std::string("no gradient rule for ") + ggml_op_desc(node)); }
        apply(g, node, g.contiguous(dy));
    }
}

}
