#include "autodiff/scan/composed.h"

#include "autodiff/engine/backward.h"
#include "autodiff/engine/rule.h"

#include <algorithm>
#include <iterator>

namespace llamatune {

void differentiate(gradients & g, const std::vector<std::pair<ggml_tensor *, ggml_tensor *>> & results,
                   const std::vector<ggml_tensor *> & leaves) {
    node_order order;
    for (const ggml_tensor * leaf : leaves) order.skip(leaf);
    for (const auto & [result, gradient] : results) order.add(result);
    for (const ggml_tensor * node : order.tensors()) { // each of them feeds a result
        const bool any =
            std::any_of(std::begin(node->src), std::end(node->src), [&](const ggml_tensor * t) { return g.wants(t); });
        if (any && !has_no_gradient(node)) g.want(node);
    }
    for (const auto & [result, gradient] : results) g.add(result, gradient);
    run_backward(g, order.tensors());
}

ggml_tensor * alias(gradients & g, ggml_tensor * t) {
    return ggml_view_4d(g.ctx(), t, t->ne[0], t->ne[1], t->ne[2], t->ne[3], t->nb[1], t->nb[2], t->nb[3], 0);
}

}
