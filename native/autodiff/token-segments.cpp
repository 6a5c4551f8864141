#include "autodiff/token-segments.h"

#include "autodiff/recurrence.h"

namespace llamatune {

void by_segments(gradients & g, const segmented_op & op, ggml_tensor * dy) {
    ggml_context * ctx = g.ctx();
    const ggml_tensor * some = op.sources[0];
    const int64_t size = some->ne[0], n_head = some->ne[1], n_seqs = op.state->ne[1], n_t = some->ne[2] / n_seqs;
    const int64_t inner = size * n_head, state_size = op.state->ne[0];
    const size_t row = size_t(inner) * sizeof(float);
    const auto part = [&](ggml_tensor * t, int64_t first, int64_t n) {
        return ggml_cont(ctx, ggml_view_4d(ctx, t, size, n_head, n, n_seqs, size * sizeof(float), row, n_t * row, first * row));
    };
    const auto parts = [&](int64_t first, int64_t n) {
        segmented_op::parts all;
        for (ggml_tensor * t : op.sources) all.push_back(part(t, first, n));
        return all;
    };
    const auto states_of = [&](ggml_tensor * result, int64_t n) { // behind the outputs of n tokens of each sequence
        return ggml_cont(ctx, ggml_view_2d(ctx, result, state_size, n_seqs, state_size * sizeof(float), size_t(n * n_seqs) * row));
    };

    std::vector<int64_t> first { 0 };
    std::vector<ggml_tensor *> before { op.state };
    for (;;) {
        const int64_t from = first.back(), n = tokens_at_once(op.numbers * n_seqs, n_t - from);
        first.push_back(from + n);
        if (from + n == n_t) break;
        segmented_op::parts now = parts(from, n);
        for (ggml_tensor *& t : now) t = ggml_reshape_3d(ctx, t, size, n_head, n * n_seqs);
        before.push_back(states_of(op.make(now, before.back()), n));
        g.run(before.back());
    }
    ggml_tensor * dstate = states_of(dy, n_t);
    std::vector<ggml_tensor *> results(op.sources.size());
    ggml_tensor * dshared = nullptr;
    for (size_t i = before.size(); i-- > 0;) {
        const int64_t from = first[i], n = first[i + 1] - from;
        const segment_gradients d = op.differentiate(parts(from, n), before[i], part(dy, from, n), dstate);
        for (size_t j = 0; j < results.size(); j++) {
            if (!g.wants(op.sources[j])) continue;
            ggml_tensor * t = ggml_reshape_4d(ctx, g.contiguous(d.sources[j]), size, n_head, n, n_seqs);
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
