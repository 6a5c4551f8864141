#include "cpu/fusion/passes.h"

#include "cpu/kernels/attention.h"
#include "cpu/kernels/rows.h"

#include <cstring>
#include <map>
#include <utility>

namespace llamatune {

namespace {

// Indices of the sources of ATTENTION and of its gradients.
enum source { queries, keys, values, log_sums, mask, tiles, sinks, result, d_result };

// Queries, keys or values: [width, tokens of a stream, heads, streams]
attention_rows rows_of(const ggml_tensor * t) {
    constexpr size_t unit = sizeof(float);
    return {static_cast<float *>(t->data), int64_t(t->nb[1] / unit), int64_t(t->nb[2] / unit),
            int64_t(t->nb[3] / unit)};
}

// Dense rows, in the order [token][head] or [head][token].
attention_rows dense_rows(float * data, int64_t width, int64_t n, int64_t n_heads, bool heads_together) {
    return heads_together ? attention_rows{data, n_heads * width, width, n * n_heads * width}
                          : attention_rows{data, width, n * width, n * n_heads * width};
}

attention_rows results(const ggml_tensor * t, const attention_shape & s, bool merged) {
    return dense_rows(static_cast<float *>(t->data), s.value_size, s.n_queries, s.n_heads, merged);
}

float * data_of(const ggml_tensor * t) { return t ? static_cast<float *>(t->data) : nullptr; }

attention_inputs inputs_of(const ggml_tensor * node, const attention_shape & shape) {
    return {shape,           rows_of(node->src[queries]), rows_of(node->src[keys]), rows_of(node->src[values]),
            node->src[mask], data_of(node->src[tiles]),   data_of(node->src[sinks])};
}

// llama.cpp's view of adjacent heads: [width, heads, tokens] as [width, tokens, heads].
bool swaps_heads_and_tokens(const ggml_tensor * t) {
    static constexpr int32_t axes[GGML_MAX_DIMS] = {0, 2, 1, 3};
    return t->op == GGML_OP_PERMUTE && !std::memcmp(t->op_params, axes, sizeof(axes));
}

// The gradient of q, k or v within the node that holds all three, with the memory order of its source.
struct part {
    part(ggml_tensor * of, bool wanted, int64_t & size)
        : of(of), together(swaps_heads_and_tokens(of)), wanted(wanted), offset(size) {
        if (wanted) size += (ggml_nelements(of) + 15) / 16 * 16;
    }
    attention_rows rows(float * all) const {
        return dense_rows(wanted ? all + offset : nullptr, of->ne[0], of->ne[1], of->ne[2], together);
    }
    void add(gradients & g, ggml_tensor * all) const {
        if (!wanted) return;
        ggml_tensor * to = together ? of->src[0] : of;
        const size_t row = size_t(to->ne[0]) * sizeof(float), plane = row * size_t(to->ne[1]);
        g.add(to, ggml_view_4d(g.ctx(), all, to->ne[0], to->ne[1], to->ne[2], to->ne[3], row, plane,
                               plane * size_t(to->ne[2]), size_t(offset) * sizeof(float)));
    }
    ggml_tensor * of;
    bool together, wanted;
    int64_t offset;
};

void back(host_ops & ops, const attention_shape & shape, bool merged, gradients & g, ggml_tensor * node,
          ggml_tensor * dy) {
    std::vector<ggml_tensor *> sources(node->src, node->src + result);
    sources.push_back(node);
    sources.push_back(dy);
    if (g.wants(node->src[sinks])) {
        g.add(node->src[sinks],
              ops.make(g.ctx(), "ATTENTION_SINKS_BACK", {shape.n_heads}, sources,
                       [=](ggml_tensor * out, executor & exec) {
                           attention_sinks_backward(inputs_of(out, shape), results(out->src[result], shape, merged),
                                                    data_of(out->src[log_sums]),
                                                    results(out->src[d_result], shape, merged), data_of(out), exec);
                       }));
    }
    int64_t size = 0;
    const part q(node->src[queries], g.wants(node->src[queries]), size),
        k(node->src[keys], g.wants(node->src[keys]), size), v(node->src[values], g.wants(node->src[values]), size);
    if (size == 0) return;
    ggml_tensor * all = ops.make(
        g.ctx(), "ATTENTION_BACK", {size}, sources,
        [=](ggml_tensor * out, executor & exec) {
            attention_backward(inputs_of(out, shape), results(out->src[result], shape, merged),
                               data_of(out->src[log_sums]), results(out->src[d_result], shape, merged),
                               {q.rows(data_of(out)), k.rows(data_of(out)), v.rows(data_of(out))}, exec);
        },
        [shape](const ggml_tensor *, const executor & exec) { return attention_backward_scratch(shape, exec); });
    for (const part & p : {q, k, v}) p.add(g, all);
}

using readers = std::unordered_map<const ggml_tensor *, ggml_tensor *>;

ggml_tensor * only_reader(const fusion & f, const readers & last, const ggml_tensor * t) {
    return f.uses(t) == 1 && last.count(t) ? last.at(t) : nullptr;
}

struct pattern {
    ggml_tensor *q, *k, *v, *scores, *weights, *transposed, *product;
    ggml_tensor *swapped = nullptr, *merged = nullptr; // if the heads of a token are merged
    attention_shape shape{};
};

bool is_usable_mask(const ggml_tensor * m, const attention_shape & s) {
    return (m->type == GGML_TYPE_F32 || m->type == GGML_TYPE_F16) && m->nb[0] == ggml_type_size(m->type) &&
           m->ne[0] == s.n_keys && m->ne[1] >= s.n_queries && m->ne[2] == 1 &&
           (m->ne[3] == 1 || m->ne[3] == s.n_streams);
}

bool find(const fusion & f, const readers & last, ggml_tensor * weights, pattern & p) {
    p.weights = weights;
    p.scores = weights->src[0];
    p.product = only_reader(f, last, weights);
    if (weights->view_src || !f.only_for_one(p.scores, GGML_OP_MUL_MAT) || !p.product ||
        p.product->op != GGML_OP_MUL_MAT || p.product->src[1] != weights ||
        !f.only_for_one(p.product->src[0], GGML_OP_CONT)) {
        return false;
    }
    p.transposed = p.product->src[0];
    if (p.transposed->src[0]->op != GGML_OP_TRANSPOSE) return false;
    p.k = p.scores->src[0];
    p.q = p.scores->src[1];
    p.v = p.transposed->src[0]->src[0];
    if (!has_dense_f32_rows(p.q) || !has_dense_f32_rows(p.k) || !has_dense_f32_rows(p.v)) return false;
    if (p.k->ne[2] != p.v->ne[2] || p.q->ne[3] != p.k->ne[3] || p.q->ne[3] != p.v->ne[3]) return false;

    attention_shape & s = p.shape;
    s = {p.q->ne[0], p.v->ne[0], p.q->ne[1], p.k->ne[1], p.q->ne[2], p.k->ne[2], p.q->ne[3], 1, 0};
    std::memcpy(&s.scale, weights->op_params, sizeof(s.scale));
    std::memcpy(&s.max_bias, weights->op_params + 1, sizeof(s.max_bias));
    if (!(s.scale > 0)) return false;
    if (weights->src[1] && !is_usable_mask(weights->src[1], s)) return false;

    p.swapped = only_reader(f, last, p.product);
    if (p.swapped && swaps_heads_and_tokens(p.swapped)) p.merged = only_reader(f, last, p.swapped);
    if (p.merged && p.merged->op != GGML_OP_CONT) p.merged = nullptr;
    return true;
}

}

void fuse_attention(fusion & f) {
    readers last;
    for (ggml_tensor * node : f.nodes()) {
        for (const ggml_tensor * source : node->src) last[source] = node;
    }
    host_ops & ops = f.ops();
    std::map<std::pair<ggml_tensor *, int64_t>, ggml_tensor *> tiles_of; // mask tiles are shared across layers
    for (ggml_tensor * node : f.nodes()) {
        pattern p;
        if (node->op != GGML_OP_SOFT_MAX || !find(f, last, node, p)) continue;
        const attention_shape shape = p.shape;
        ggml_tensor * bias = node->src[1];
        ggml_tensor * sink = node->src[2];
        ggml_tensor * tile_states = nullptr;
        if (bias) {
            ggml_tensor *& known = tiles_of[{bias, shape.n_queries}];
            if (!known) {
                known =
                    ops.make(f.ctx(), "ATTENTION_TILES",
                             {attention_tile_count(shape.n_keys), attention_tile_count(shape.n_queries), bias->ne[3]},
                             {bias}, [n = shape.n_queries](ggml_tensor * out, executor & exec) {
                                 attention_tiles(out->src[0], n, data_of(out), exec);
                             });
            }
            tile_states = known;
        }
        // memory that ATTENTION writes
        ggml_tensor * sums = ops.make(f.ctx(), "ATTENTION_SUMS", {shape.n_queries, shape.n_heads, shape.n_streams}, {},
                                      [](ggml_tensor *, executor &) {});
        const bool merged = p.merged != nullptr;
        ggml_tensor * last_node = merged ? p.merged : p.product;
        for (const ggml_tensor * t : {p.scores, p.weights, p.transposed}) f.drop(t);
        // a view that nothing reads would keep the values until the end of the graph
        if (const ggml_tensor * view = p.transposed->src[0]; f.uses(view) == 1) f.drop(view);
        if (merged) {
            f.drop(p.product);
            f.drop(p.swapped);
        }
        ops.replace(
            last_node, "ATTENTION", {p.q, p.k, p.v, sums, bias, tile_states, sink},
            [=](ggml_tensor * out, executor & exec) {
                attention_forward(inputs_of(out, shape), results(out, shape, merged), data_of(out->src[log_sums]),
                                  exec);
            },
            [shape](const ggml_tensor *, const executor & exec) { return attention_scratch(shape, exec); });
        f.g().set_rule(last_node, [&ops, shape, merged](gradients & g, ggml_tensor * n, ggml_tensor * dy) {
            back(ops, shape, merged, g, n, dy);
        });
    }
}

}
