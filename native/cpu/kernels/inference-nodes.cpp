#include "cpu/kernels/inference-nodes.h"

#include "cpu/kernels/attention.h"
#include "cpu/kernels/convert.h"
#include "cpu/kernels/lora-linear.h"
#include "cpu/kernels/rows.h"

#include <algorithm>
#include <cstring>

namespace llamatune {

namespace {

constexpr int64_t least_tokens = 32; // fewer are faster on ggml's CPU back end

// parameters of FLASH_ATTN_EXT
enum source { queries, keys, values, mask, sinks };

float parameter(const ggml_tensor * node, int i) {
    float value;
    std::memcpy(&value, reinterpret_cast<const char *>(node->op_params) + size_t(i) * sizeof(float), sizeof(value));
    return value;
}

bool has_dense_rows(const ggml_tensor * t) {
    return t->nb[0] == ggml_type_size(t->type) && (t->type == GGML_TYPE_F32 || ggml_get_type_traits(t->type)->to_float);
}

attention_rows rows_of_f32(const ggml_tensor * t) {
    constexpr size_t unit = sizeof(float);
    return {static_cast<float *>(t->data), int64_t(t->nb[1] / unit), int64_t(t->nb[2] / unit),
            int64_t(t->nb[3] / unit)};
}

// Keys or values of the cache as F32.
attention_rows widened(const ggml_tensor * t, scratch_buffer & space, executor & exec) {
    if (t->type == GGML_TYPE_F32) return rows_of_f32(t);
    const int64_t width = t->ne[0], head = width * t->ne[1], stream = head * t->ne[2];
    float * to = space.get<float>(stream * t->ne[3]);
    for_rows(exec, t, [&](int64_t i1, int64_t i2, int64_t i3) {
        rows_to_f32(t->type, row_of(t, i1, i2, i3), 0, width, 1, to + i3 * stream + i2 * head + i1 * width);
    });
    return {to, width, head, stream};
}

bool is_f32_weight(const ggml_tensor * t) {
    return t->op == GGML_OP_NONE && t->type == GGML_TYPE_F32 && ggml_is_matrix(t) && ggml_is_contiguous(t);
}

// B·(A·x) of many tokens
bool is_pair_product(const ggml_tensor * t) {
    return t->op == GGML_OP_MUL_MAT && is_f32_weight(t->src[0]) && t->src[1]->op == GGML_OP_MUL_MAT &&
           is_f32_weight(t->src[1]->src[0]) && t->ne[1] >= least_tokens && ggml_is_matrix(t) && ggml_is_contiguous(t);
}

}

bool can_attend(const ggml_tensor * node) {
    const ggml_tensor *q = node->src[queries], *k = node->src[keys], *v = node->src[values], *m = node->src[mask];
    const bool plain = q->type == GGML_TYPE_F32 && has_dense_rows(q) && has_dense_rows(k) && has_dense_rows(v) &&
                       parameter(node, 2) == 0.0f;
    const bool heads = k->ne[2] == v->ne[2] && q->ne[2] % k->ne[2] == 0 && q->ne[3] == k->ne[3] && q->ne[3] == v->ne[3];
    const bool masked = !m || (m->ne[0] == k->ne[1] && m->ne[1] >= q->ne[1] && m->ne[2] == 1 &&
                               (m->ne[3] == 1 || m->ne[3] == q->ne[3]));
    return plain && heads && masked && q->ne[1] >= least_tokens;
}

void run_attention(executor & exec, ggml_tensor * node) {
    const ggml_tensor *q = node->src[queries], *k = node->src[keys], *v = node->src[values], *m = node->src[mask];
    attention_inputs in{};
    in.shape = {k->ne[0], v->ne[0], q->ne[1],           k->ne[1],          q->ne[2],
                k->ne[2], q->ne[3], parameter(node, 0), parameter(node, 1)};
    in.q = rows_of_f32(q);
    in.k = widened(k, exec.shared_scratch(0), exec);
    in.v = widened(v, exec.shared_scratch(1), exec);
    in.mask = m;
    if (m) {
        float * tiles = exec.shared_scratch(2).get<float>(attention_tile_count(m->ne[0]) *
                                                          attention_tile_count(q->ne[1]) * m->ne[3]);
        attention_tiles(m, q->ne[1], tiles, exec);
        in.tiles = tiles;
    }
    in.sinks = node->src[sinks] ? static_cast<const float *>(node->src[sinks]->data) : nullptr;
    const attention_rows out{static_cast<float *>(node->data), node->ne[0] * node->ne[1], node->ne[0],
                             node->ne[0] * node->ne[1] * node->ne[2]};
    attention_forward(in, out, exec.shared_scratch(3).get<float>(q->ne[1] * q->ne[2] * q->ne[3]), exec);
}

bool is_pair(ggml_tensor * const * nodes) {
    const ggml_tensor *wx = nodes[0], *ax = nodes[1], *bax = nodes[2], *scaled = nodes[3], *sum = nodes[4];
    return wx->op == GGML_OP_MUL_MAT && wx->src[0]->op == GGML_OP_NONE && ggml_is_matrix(wx->src[0]) &&
           has_dense_f32_rows(wx->src[1]) && is_pair_tail(sum) && sum->src[0] == wx && sum->src[1] == scaled &&
           is_pair_tail(scaled) && scaled->src[0] == bax && bax->src[1] == ax && ax->src[1] == wx->src[1];
}

void run_pair(executor & exec, ggml_tensor * const * nodes) {
    const ggml_tensor * wx = nodes[0];
    lora_linear(exec, wx->src[0], wx->src[1], nodes[1]->src[0], nodes[2]->src[0], parameter(nodes[3], 0), nodes[4]);
}

bool is_pair_tail(const ggml_tensor * node) {
    if (node->op == GGML_OP_SCALE) return is_pair_product(node->src[0]) && parameter(node, 1) == 0.0f;
    const ggml_tensor *a = node->src[0], *b = node->src[1];
    return node->op == GGML_OP_ADD && b->op == GGML_OP_SCALE && is_pair_tail(b) && a->type == GGML_TYPE_F32 &&
           ggml_are_same_shape(a, b) && ggml_is_contiguous(a) && ggml_is_contiguous(b) && ggml_is_contiguous(node);
}

void run_pair_tail(executor & exec, ggml_tensor * node) {
    const bool adds = node->op == GGML_OP_ADD;
    const float scale = adds ? 1.0f : parameter(node, 0);
    for_rows(exec, node, [&](int64_t i1, int64_t i2, int64_t i3) {
        const float *a = row_of(node->src[0], i1, i2, i3), *b = adds ? row_of(node->src[1], i1, i2, i3) : nullptr;
        float * out = row_of(node, i1, i2, i3);
        for (int64_t i = 0; i < node->ne[0]; i++) out[i] = adds ? a[i] + b[i] : scale * a[i];
    });
}

}
