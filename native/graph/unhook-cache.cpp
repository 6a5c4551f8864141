#include "graph/unhook-cache.h"

#include "core/error.h"

#include <cstring>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace llamatune {

namespace {

const ggml_tensor * owner(const ggml_tensor * t) {
    while (t->view_src) t = t->view_src;
    return t;
}

// llama.cpp names the tensors of its caches cache_k_l0, cache_v_l0, cache_<kind>_k_l0, …
bool is_cache(const ggml_tensor * t) { return std::strncmp(owner(t)->name, "cache_", 6) == 0; }

// Recurrent state (and convolutions' last inputs): cache_r_l0, cache_s_l0, cache_ple_r_l0.
bool is_state(const ggml_tensor * t) {
    return is_cache(t) && (std::strstr(t->name, "_r_l") || std::strstr(t->name, "_s_l"));
}

ggml_tensor * zeros_like(const ggml_tensor * t, ggml_context * ctx, cloner & clone) {
    // one number, repeated: a tensor to fill would need memory from the graph's start
    ggml_tensor * zero = clone.append(ggml_fill(ctx, ggml_new_tensor_1d(ctx, t->type, 1), 0.0f));
    return clone.append(ggml_repeat_4d(ctx, zero, t->ne[0], t->ne[1], t->ne[2], t->ne[3]));
}

}

void unhook_cache(ggml_cgraph * graph, int64_t n_tokens, ggml_context * ctx, cloner & clone) {
    std::unordered_map<const ggml_tensor *, ggml_tensor *> fresh; // cache tensor -> the rows written to it
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor * node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_SET_ROWS && is_cache(node)) {
            fresh[owner(node)] = node->src[0]; // [n_embd_gqa, n_tokens]
        }
    }
    // Every sequence starts with this batch, from a state of zeros; what is left for the next batch is not read.
    std::unordered_set<const ggml_tensor *> states;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        for (ggml_tensor * source : ggml_graph_node(graph, i)->src) {
            if (source && source->op == GGML_OP_NONE && is_state(source) && states.insert(source).second) {
                clone.replace(source, zeros_like(source, ctx, clone));
            }
        }
    }
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor * view = ggml_graph_node(graph, i);
        if (view->op != GGML_OP_VIEW || !is_cache(view) || view->src[0] != owner(view)) {
            continue;
        }
        const auto written = fresh.find(owner(view));
        if (written == fresh.end()) {
            continue; // read but never written here: the clone meets it as a leaf, which forward.cpp reports
        }
        // [head size, heads, tokens per stream, streams]
        if (view->ne[0] * view->ne[1] != written->second->ne[0] || view->ne[2] * view->ne[3] != n_tokens) {
            throw error("GRAPH_UNSUPPORTED", std::string("expected ") + view->src[0]->name +
                                                 " to be read as it was written but received a view of another shape");
        }
        ggml_tensor * rows = clone(written->second);
        if (!ggml_is_contiguous(rows)) {
            rows = clone.append(ggml_cont(ctx, rows));
        }
        clone.replace(view, clone.append(ggml_reshape_4d(ctx, rows, view->ne[0], view->ne[1], view->ne[2], view->ne[3])));
    }
}

}
