#include "graph/unhook-cache.h"

#include "core/error.h"

#include <cstring>
#include <string>
#include <unordered_map>

namespace llamatune {

namespace {

const ggml_tensor * owner(const ggml_tensor * t) {
    while (t->view_src) t = t->view_src;
    return t;
}

bool starts_with(const ggml_tensor * t, const char * text) {
    return std::strncmp(t->name, text, std::strlen(text)) == 0;
}

ggml_tensor * zeros_like(const ggml_tensor * t, tensor_arena & ctx, cloner & clone) {
    if (t->type != GGML_TYPE_F32) {
        throw error("GRAPH_UNSUPPORTED",
                    std::string("the recurrent state ") + t->name + " has the type " + ggml_type_name(t->type) +
                        " and not F32",
                    "This architecture's cache cannot be replaced for training yet.");
    }
    // one number is filled and repeated: a tensor to fill would occupy memory during the whole graph
    ggml_tensor * zero = clone.append(ggml_fill(ctx, ggml_new_tensor_1d(ctx, t->type, 1), 0.0f));
    return clone.append(ggml_repeat_4d(ctx, zero, t->ne[0], t->ne[1], t->ne[2], t->ne[3]));
}

// Returns the rows that this batch writes, in the shape of a view of all of them; null if the view covers anything
// else.
ggml_tensor * fresh_rows(const ggml_tensor * view, ggml_tensor * written, int64_t n_tokens, tensor_arena & ctx,
                         cloner & clone) {
    // [head size, heads, tokens per stream, streams]
    if (view->ne[0] * view->ne[1] != written->ne[0] || view->ne[2] * view->ne[3] != n_tokens ||
        written->ne[1] != n_tokens) {
        return nullptr;
    }
    ggml_tensor * rows = clone(written);
    if (!ggml_is_contiguous(rows)) { rows = clone.append(ggml_cont(ctx, rows)); }
    return clone.append(ggml_reshape_4d(ctx, rows, view->ne[0], view->ne[1], view->ne[2], view->ne[3]));
}

}

bool is_cache(const ggml_tensor * t) {
    // llama.cpp's names: cache_k_l0, cache_v_l0, cache_<kind>_k_l0; recurrent state: cache_r_l0, cache_s_l0,
    // cache_ple_r_l0; DeepSeek V4's state of compressed keys: dsv4_<kind>_state_kv_l0, dsv4_<kind>_state_score_l0
    t = owner(t);
    return !(t->flags & GGML_TENSOR_FLAG_INPUT) && (starts_with(t, "cache_") || starts_with(t, "dsv4_"));
}

void unhook_cache(ggml_cgraph * graph, int64_t n_tokens, tensor_arena & ctx, cloner & clone) {
    // Every sequence starts in this batch with a state of zeros; the state for the next batch is not read.
    clone.on_leaf([&ctx, &clone](ggml_tensor * leaf) { return is_cache(leaf) ? zeros_like(leaf, ctx, clone) : leaf; });
    std::unordered_map<const ggml_tensor *, ggml_tensor *> writes; // cache tensor -> the SET_ROWS into it
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor * node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_SET_ROWS && is_cache(node)) { writes[owner(node)] = node; }
        const auto write = node->op == GGML_OP_VIEW && is_cache(node) ? writes.find(node->src[0]) : writes.end();
        if (write == writes.end()) {
            continue; // not a view of a cache, or one of its previous content
        }
        ggml_tensor * cache = node->src[0];
        if (ggml_tensor * rows = fresh_rows(node, write->second->src[0], n_tokens, ctx, clone)) {
            clone.replace(node, rows);
        } else {
            // compressed keys have one row for several tokens: put the written rows into zeros
            ggml_tensor * filled = clone(write->second);
            clone.replace(cache, clone.append(ggml_reshape_4d(ctx, filled, cache->ne[0], cache->ne[1], cache->ne[2],
                                                              cache->ne[3])));
        }
    }
}

}
