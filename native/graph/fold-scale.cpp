#include "graph/fold-scale.h"

#include <cstring>
#include <unordered_map>

namespace llamatune {

namespace {

float parameter(const ggml_tensor * node, int i) {
    float value;
    std::memcpy(&value, node->op_params + i, sizeof(value));
    return value;
}

using readers_of = std::unordered_map<const ggml_tensor *, std::vector<ggml_tensor *>>;

// Is it a scaled product that nothing else reads, and that no view shows?
bool matches(const ggml_tensor * scaled, readers_of & readers) {
    if (scaled->op != GGML_OP_SCALE || parameter(scaled, 1) != 0.0f) return false;
    const ggml_tensor * product = scaled->src[0];
    if (product->op != GGML_OP_MUL_MAT && product->op != GGML_OP_MUL_MAT_ID) return false;
    if (readers[product].size() != 1 || !ggml_is_contiguous(product->src[1]) ||
        ggml_nelements(product->src[1]) >= ggml_nelements(product))
        return false;
    for (const ggml_tensor * reader : readers[scaled]) {
        if (reader->view_src) return false;
    }
    return true;
}

}

void scale_before_products(tensor_arena & ctx, std::vector<ggml_tensor *> & nodes, const ggml_tensor * result) {
    readers_of readers;
    for (ggml_tensor * node : nodes) {
        for (ggml_tensor * source : node->src) {
            if (source) readers[source].push_back(node);
        }
    }
    std::unordered_map<const ggml_tensor *, ggml_tensor *> scale_of; // of products
    for (ggml_tensor * node : nodes) {
        if (node != result && matches(node, readers)) scale_of[node->src[0]] = node;
    }
    std::vector<ggml_tensor *> rewritten;
    for (ggml_tensor * node : nodes) {
        if (node->op == GGML_OP_SCALE && scale_of.count(node->src[0])) continue;
        if (const auto found = scale_of.find(node); found != scale_of.end()) {
            ggml_tensor * scaled = found->second;
            rewritten.push_back(ggml_scale(ctx, node->src[1], parameter(scaled, 0)));
            node->src[1] = rewritten.back();
            for (ggml_tensor * reader : readers[scaled]) {
                for (ggml_tensor *& source : reader->src) {
                    if (source == scaled) source = node;
                }
            }
        }
        rewritten.push_back(node);
    }
    nodes = std::move(rewritten);
}

}
