#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

struct attention_shape {
    int64_t size, n_head, n_t, n_seqs;
};

// A trained tensor with `size` elements per head and token.
ggml_tensor * tokens_of(leaves & l, const attention_shape & s, float lo = -1.0f, float hi = 1.0f) {
    return l.parameter({s.size, s.n_head, s.n_t * s.n_seqs}, lo, hi);
}

ggml_tensor * gated_linear(leaves & l, const attention_shape & s) {
    ggml_tensor *k = tokens_of(l, s), *v = tokens_of(l, s), *q = tokens_of(l, s), *w = tokens_of(l, s, 0.2f, 0.99f);
    ggml_tensor * state = l.parameter({s.size * s.size * s.n_head, s.n_seqs});
    return ggml_gated_linear_attn(l.ctx(), k, v, q, w, state, 0.7f);
}

ggml_tensor * wkv6(leaves & l, const attention_shape & s) {
    ggml_tensor *k = tokens_of(l, s), *v = tokens_of(l, s), *r = tokens_of(l, s), *w = tokens_of(l, s, 0.2f, 0.99f);
    ggml_tensor * first = l.parameter({s.size, s.n_head});
    ggml_tensor * state = l.parameter({s.size * s.size * s.n_head, s.n_seqs});
    return ggml_rwkv_wkv6(l.ctx(), k, v, r, first, w, state);
}

ggml_tensor * wkv7(leaves & l, const attention_shape & s) {
    ggml_tensor *r = tokens_of(l, s), *w = tokens_of(l, s, 0.5f, 0.99f), *k = tokens_of(l, s), *v = tokens_of(l, s);
    ggml_tensor *a = tokens_of(l, s, -0.4f, 0.4f), *b = tokens_of(l, s, -0.4f, 0.4f);
    ggml_tensor * state = l.parameter({s.size * s.size * s.n_head, s.n_seqs});
    return ggml_rwkv_wkv7(l.ctx(), r, w, k, v, a, b, state);
}

// Queries and keys have half as many heads as values; keys are short, as after normalisation. With decay_per_key each
// key has its own decay, as in Kimi's models.
ggml_tensor * delta_net(leaves & l, const attention_shape & s, bool decay_per_key) {
    const auto tensor = [&](int64_t size, int64_t heads, float lo, float hi) {
        return l.parameter({size, heads, s.n_t, s.n_seqs}, lo, hi);
    };
    ggml_tensor *q = tensor(s.size, s.n_head, -1, 1), *k = tensor(s.size, s.n_head, -0.4f, 0.4f);
    ggml_tensor *v = tensor(s.size, 2 * s.n_head, -1, 1),
                *gate = tensor(decay_per_key ? s.size : 1, 2 * s.n_head, -1.5f, -0.1f);
    ggml_tensor * beta = tensor(1, 2 * s.n_head, 0.1f, 0.9f);
    ggml_tensor * state = l.parameter({s.size, s.size, 2 * s.n_head, s.n_seqs});
    return ggml_gated_delta_net(l.ctx(), q, k, v, gate, beta, state, 1);
}

}

std::vector<op_case> linear_attention() {
    std::vector<op_case> cases;
    using make = ggml_tensor * (*)(leaves &, const attention_shape &);
    // sizes and numbers of heads that divide evenly among the CPU's threads and vectors
    const std::pair<const char *, make> ops[] = {{"GATED_LINEAR_ATTN", gated_linear}, {"RWKV_WKV6", wkv6}};
    const std::pair<const char *, attention_shape> shapes[] = {
        {"segments of several lengths, two sequences", {16, 2, 5, 2}}, {"one token", {16, 2, 1, 3}}};
    for (const auto & [rule, apply] : ops) {
        for (const auto & [name, shape] : shapes) {
            cases.push_back({rule, name,
                             [apply = apply, shape = shape](leaves & l) { return ggml_sqr(l.ctx(), apply(l, shape)); },
                             1e-2, 2e-3});
        }
    }
    // llama.cpp's kernel for vectors of 16 numbers reads 64 at a time
    const std::pair<const char *, attention_shape> shapes_of_64[] = {
        {"segments of several lengths, two sequences", {64, 1, 3, 2}},
        {"one token", {64, 2, 1, 1}},
        {"two chunks", {64, 1, 32, 1}}};
    for (const auto & [name, shape] : shapes_of_64) {
        cases.push_back(
            {"RWKV_WKV7", name, [shape = shape](leaves & l) { return ggml_sqr(l.ctx(), wkv7(l, shape)); }, 1e-2, 2e-3});
    }
    const std::pair<const char *, attention_shape> nets[] = {
        {"segments of several lengths, two sequences", {8, 1, 7, 2}},
        {"one token", {8, 2, 1, 2}},
        {"more than a chunk", {4, 1, 128, 1}}};
    for (const bool decay_per_key : {false, true}) {
        for (const auto & [name, shape] : nets) {
            cases.push_back(
                {"GATED_DELTA_NET", std::string(name) + (decay_per_key ? ", one decay per key" : ""),
                 [=, shape = shape](leaves & l) { return ggml_sqr(l.ctx(), delta_net(l, shape, decay_per_key)); }, 1e-2,
                 2e-3});
        }
    }
    return cases;
}

}
