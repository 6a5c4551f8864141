#include "core/graph-builder.h"

#include <algorithm>

namespace llamatune {

void node_order::add(ggml_tensor * t) {
    struct visit {
        ggml_tensor * tensor;
        int next_source;
    };
    if (!seen_.insert(t).second) { return; }
    std::vector<visit> stack{{t, 0}}; // not recursion: graphs are thousands of nodes deep
    while (!stack.empty()) {
        visit & top = stack.back();
        if (top.next_source == GGML_MAX_SRC) {
            tensors_.push_back(top.tensor);
            stack.pop_back();
            continue;
        }
        ggml_tensor * source = top.tensor->src[top.next_source++];
        if (source && seen_.insert(source).second) { stack.push_back({source, 0}); }
    }
}

ggml_cgraph * graph_builder::finish() {
    const std::vector<ggml_tensor *> & all = order_.tensors();
    const auto leaves = size_t(std::count_if(all.begin(), all.end(), [](const ggml_tensor * t) {
        return t->op == GGML_OP_NONE && !(t->flags & GGML_TENSOR_FLAG_PARAM);
    }));
    const size_t size =
        std::max(leaves, all.size() - leaves); // ggml allocates a list of this length for leaves and one for nodes
    graph_.reset(ggml_init({ggml_graph_overhead_custom(size, false) + ggml_tensor_overhead(), nullptr, true}));
    ggml_cgraph * graph = ggml_new_graph_custom(graph_.get(), size, false);
    for (ggml_tensor * t : all) ggml_build_forward_expand(graph, t);
    return graph;
}

}
