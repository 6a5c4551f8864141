#include "autodiff/scan/token-segments.h"

namespace llamatune {

int64_t tokens_at_once(int64_t bytes, int64_t numbers, int64_t left) {
    int64_t n = 1;
    while (2 * n <= left && 2 * n * numbers * int64_t(sizeof(float)) <= bytes) n *= 2;
    return n;
}

ggml_tensor * in_one_sequence(gradients & g, ggml_tensor * part) {
    return ggml_reshape_3d(g.ctx(), part, part->ne[0], part->ne[1], part->ne[2] * part->ne[3]);
}

void by_segments(gradients & g, const segmented_op & op, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    const ggml_tensor * like = op.sources[op.like];
    const int64_t n_seqs = op.state->ne[1], state_size = op.state->ne[0], n_t = like->ne[2] * like->ne[3] / n_seqs;
    const size_t row = size_t(like->ne[0] * like->ne[1]) * sizeof(float);
    // n tokens from `first` on of a contiguous tensor whose tokens have the shape of `shape`: [size, n_head, n, n_seqs]
    const auto part = [&](ggml_tensor * t, const ggml_tensor * shape, int64_t first, int64_t n) {
        const size_t nb1 = size_t(shape->ne[0]) * sizeof(float), nb2 = nb1 * size_t(shape->ne[1]);
        return g.contiguous(
            ggml_view_4d(ctx, t, shape->ne[0], shape->ne[1], n, n_seqs, nb1, nb2, n_t * nb2, first * nb2));
    };
    std::vector<ggml_tensor *> contiguous;
    for (ggml_tensor * t : op.sources) contiguous.push_back(g.contiguous(t));
    const auto parts = [&](int64_t first, int64_t n) {
        segmented_op::parts all;
        for (ggml_tensor * t : contiguous) all.push_back(part(t, t, first, n));
        return all;
    };
    const auto states_of = [&](ggml_tensor * result,
                               int64_t n) { // the states follow the outputs of n tokens of each sequence
        return ggml_cont(
            ctx, ggml_view_2d(ctx, result, state_size, n_seqs, state_size * sizeof(float), size_t(n * n_seqs) * row));
    };

    std::vector<int64_t> first{0};
    std::vector<ggml_tensor *> before{op.state};
    for (;;) {
        const int64_t from = first.back(), n = op.length(n_t - from);
        first.push_back(from + n);
        if (from + n == n_t) break;
        before.push_back(states_of(op.make(parts(from, n), before.back()), n));
        g.run(before.back()); // so that the memory of the outputs can be reused
    }
    ggml_tensor * dstate = states_of(dy, n_t);
    std::vector<ggml_tensor *> results(op.sources.size());
    ggml_tensor * dshared = nullptr;
    for (size_t i = before.size(); i-- > 0;) {
        const int64_t from = first[i], n = first[i + 1] - from;
        const segment_gradients d = op.differentiate(parts(from, n), before[i], part(dy, like, from, n), dstate);
        for (size_t j = 0; j < results.size(); j++) {
            if (!g.wants(op.sources[j])) continue;
            ggml_tensor * t =
                ggml_reshape_4d(ctx, g.contiguous(d.sources[j]), op.sources[j]->ne[0], op.sources[j]->ne[1], n, n_seqs);
            results[j] = results[j] ? ggml_concat(ctx, t, results[j], 2) : t;
            g.run(results[j]);
        }
        if (g.wants(op.shared)) {
            dshared = dshared ? ggml_add(ctx, dshared, d.shared) : d.shared;
            g.run(dshared);
        }
        dstate = ggml_reshape_2d(ctx, g.contiguous(d.state), state_size, n_seqs);
    }
    for (size_t j = 0; j < results.size(); j++) {
        if (results[j]) g.add(op.sources[j], results[j]);
    }
    if (dshared) g.add(op.shared, dshared);
    g.add(op.state, dstate);
}

}
