#include "autodiff/scan/composed.h"

#include "autodiff/engine/backward.h"
#include "autodiff/rules/rule-table.h"

#include <algorithm>
#include <iterator>

namespace llamatune {

namespace {

void visit(ggml_tensor * node, std::unordered_set<const ggml_tensor *> & seen, std::vector<ggml_tensor *> & order) {
    if (!node || !seen.insert(node).second) { return; }
    for (ggml_tensor * source : node->src) visit(source, seen, order);
    order.push_back(node);
}

}

void differentiate(gradients & g, const std::vector<std::pair<ggml_tensor *, ggml_tensor *>> & results,
                   const std::vector<ggml_tensor *> & leaves) {
    std::unordered_set<const ggml_tensor *> seen(leaves.begin(), leaves.end());
    std::vector<ggml_tensor *> nodes;
    for (const auto & [result, gradient] : results) visit(result, seen, nodes);
    for (const ggml_tensor * node : nodes) { // all of them lead to a result
        const bool any =
            std::any_of(std::begin(node->src), std::end(node->src), [&](const ggml_tensor * t) { return g.wants(t); });
        if (any && !has_no_gradient(node)) g.want(node);
    }
    for (const auto & [result, gradient] : results) g.add(result, gradient);
    run_backward(g, nodes);
}

ggml_tensor * alias(gradients & g, ggml_tensor * t) {
    return ggml_view_4d(g.ctx(), t, t->ne[0], t->ne[1], t->ne[2], t->ne[3], t->nb[1], t->nb[2], t->nb[3], 0);
}

}
