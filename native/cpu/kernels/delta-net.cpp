#include "cpu/kernels/delta-net.h"

#include "cpu/kernels/rows.h"
#include "cpu/kernels/vector-math.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace llamatune {

namespace {

constexpr int64_t lanes = floats_in_vector, kept_every = 32;

struct sizes {
    int64_t size, n_head, n_key_head, n_t, n_seqs;
    bool own_rates; // a gate per key, otherwise one per head

    explicit sizes(const ggml_tensor * const * src)
        : size(src[net_v]->ne[0]), n_head(src[net_v]->ne[1]), n_key_head(src[net_k]->ne[1]), n_t(src[net_v]->ne[2]),
          n_seqs(src[net_v]->ne[3]), own_rates(src[net_gate]->ne[0] > 1) {}
};

// One head of one sequence. Rows of consecutive tokens are not adjacent in the tensors.
struct head {
    const ggml_tensor * const * src;
    int64_t index, key_head, sequence;
    float scale;
    const float * decay; // [n_t][size], or [n_t]
    float * out[net_dy];

    const float * q(int64_t t) const { return row_of(src[net_q], key_head, t, sequence); }
    const float * k(int64_t t) const { return row_of(src[net_k], key_head, t, sequence); }
    const float * v(int64_t t) const { return row_of(src[net_v], index, t, sequence); }
    float beta(int64_t t) const { return row_of(src[net_beta], index, t, sequence)[0]; }
    // a row of the contiguous gradient of a source
    float * d(delta_net_source s, int64_t t) const {
        const ggml_tensor * like = src[s];
        const int64_t of = s == net_q || s == net_k ? key_head : index;
        return out[s] + ((sequence * like->ne[2] + t) * like->ne[1] + of) * like->ne[0];
    }
};

// state := decay state, then what k finds in it is replaced: returns what it found, and writes the decayed state.
template <bool own_rates, int vectors>
inline float step(float_vector * state, const float * decay, const float * k, float v, float beta, float * decayed) {
    float_vector found[2] = {}; // two independent sums hide the latency of additions
    for (int i = 0; i < vectors; i++) {
        state[i] = state[i] * (own_rates ? load_floats(decay + i * lanes) : all_lanes(decay[0]));
        if (decayed) store_floats(decayed + i * lanes, state[i]);
        found[i % 2] = multiply_add(state[i], load_floats(k + i * lanes), found[i % 2]);
    }
    const float u = sum_of(found[0] + found[1]);
    const float_vector written = all_lanes(beta * (v - u));
    for (int i = 0; i < vectors; i++) state[i] = multiply_add(written, load_floats(k + i * lanes), state[i]);
    return u;
}

// kept: [pieces][size][size], states before each piece; lambda: [size][size], the gradient of the state
template <bool own_rates, int vectors>
void back(const sizes & z, const head & h, float * kept, float * lambda, float * decayed) {
    constexpr int64_t width = vectors * lanes;
    const int64_t rates = own_rates ? width : 1, pieces = (z.n_t + kept_every - 1) / kept_every, rows = z.size;
    float_vector state[vectors];
    for (int64_t piece = 0; piece + 1 < pieces; piece++) {
        for (int64_t row = 0; row < rows; row++) {
            for (int i = 0; i < vectors; i++) state[i] = load_floats(kept + (piece * rows + row) * width + i * lanes);
            for (int64_t t = piece * kept_every; t < (piece + 1) * kept_every; t++) {
                step<own_rates, vectors>(state, h.decay + t * rates, h.k(t), h.v(t)[row], h.beta(t), nullptr);
            }
            for (int i = 0; i < vectors; i++)
                store_floats(kept + ((piece + 1) * rows + row) * width + i * lanes, state[i]);
        }
    }
    float found[kept_every];
    for (int64_t piece = pieces; piece-- > 0;) {
        const int64_t from = piece * kept_every, to = std::min(z.n_t, from + kept_every);
        for (int64_t row = 0; row < rows; row++) {
            for (int i = 0; i < vectors; i++) state[i] = load_floats(kept + (piece * rows + row) * width + i * lanes);
            for (int64_t t = from; t < to; t++) {
                found[t - from] = step<own_rates, vectors>(state, h.decay + t * rates, h.k(t), h.v(t)[row], h.beta(t),
                                                           decayed + (t - from) * width);
            }
            float_vector l[vectors];
            for (int i = 0; i < vectors; i++) l[i] = load_floats(lambda + row * width + i * lanes);
            for (int64_t t = to; t-- > from;) {
                const float *q = h.q(t), *k = h.k(t), *before = decayed + (t - from) * width,
                            *decay = h.decay + t * rates;
                const float beta = h.beta(t), missing = h.v(t)[row] - found[t - from];
                const float dy = h.scale * row_of(h.src[net_dy], 0, 0,
                                                  0)[((h.sequence * z.n_t + t) * z.n_head + h.index) * z.size + row];
                const float_vector read = all_lanes(dy), written = all_lanes(beta * missing);
                float *dq = h.d(net_q, t), *dk = h.d(net_k, t), *dgate = h.d(net_gate, t);
                float_vector along[2] = {};
                for (int i = 0; i < vectors; i++) {
                    const int64_t n = i * lanes;
                    const float_vector k_n = load_floats(k + n);
                    l[i] = multiply_add(load_floats(q + n), read, l[i]);
                    const float_vector after = multiply_add(written, k_n, load_floats(before + n));
                    store_floats(dq + n, multiply_add(after, read, load_floats(dq + n)));
                    along[i % 2] = multiply_add(l[i], k_n, along[i % 2]);
                }
                const float dwritten = sum_of(along[0] + along[1]);
                h.d(net_beta, t)[0] += dwritten * missing;
                h.d(net_v, t)[row] = dwritten * beta;
                const float_vector dfound = all_lanes(-dwritten * beta);
                float_vector dlog{};
                for (int i = 0; i < vectors; i++) {
                    const int64_t n = i * lanes;
                    const float_vector found_in = load_floats(before + n);
                    store_floats(dk + n,
                                 multiply_add(dfound, found_in, multiply_add(l[i], written, load_floats(dk + n))));
                    l[i] = multiply_add(dfound, load_floats(k + n), l[i]); // of the decayed state
                    const float_vector of_log = l[i] * found_in;
                    if (own_rates) {
                        store_floats(dgate + n, load_floats(dgate + n) + of_log);
                        l[i] = l[i] * load_floats(decay + n);
                    } else {
                        dlog += of_log;
                        l[i] = l[i] * all_lanes(decay[0]);
                    }
                }
                if (!own_rates) dgate[0] += sum_of(dlog);
            }
            for (int i = 0; i < vectors; i++) store_floats(lambda + row * width + i * lanes, l[i]);
        }
    }
}

using back_fn = decltype(&back<true, 1>);

template <int... vectors>
back_fn back_for(const sizes & z, std::integer_sequence<int, vectors...>) {
    back_fn found = nullptr;
    ((z.size == vectors * lanes ? void(found = z.own_rates ? back<true, vectors> : back<false, vectors>) : void()),
     ...);
    return found;
}
using widths = std::integer_sequence<int, 1, 2, 4, 8, 16, 32, 64>;

}

delta_net_result delta_net_back_layout(const ggml_tensor * const * src) {
    delta_net_result r{};
    for (int i = 0; i < net_dy; i++) {
        r.offset[i] = r.size;
        r.size += ggml_nelements(src[i]);
    }
    return r;
}

bool delta_net_fits(const ggml_tensor * node) {
    const sizes z(node->src);
    return node->op_params[0] == 1 && std::all_of(node->src, node->src + net_dy, has_dense_f32_rows) &&
           node->src[net_q]->ne[1] == z.n_key_head && z.n_head % z.n_key_head == 0 &&
           node->src[net_q]->ne[3] == z.n_seqs && node->src[net_k]->ne[3] == z.n_seqs && back_for(z, widths());
}

void delta_net_back(ggml_tensor * node, executor & exec) {
    const ggml_tensor * const * src = node->src;
    const sizes z(src);
    const delta_net_result at = delta_net_back_layout(src);
    const back_fn run = back_for(z, widths());
    float * out = static_cast<float *>(node->data);
    const float * dfinal = static_cast<const float *>(src[net_dy]->data) + ggml_nelements(src[net_v]);
    const int64_t square = z.size * z.size, pieces = (z.n_t + kept_every - 1) / kept_every,
                  rates = src[net_gate]->ne[0];
    // a thread computes all value heads that share a key head, since they add to its gradients
    exec.run(z.n_key_head * z.n_seqs, [&](int64_t unit, int thread) {
        const int64_t key_head = unit % z.n_key_head, sequence = unit / z.n_key_head;
        for (int64_t index = key_head; index < z.n_head; index += z.n_key_head) {
            float * memory =
                exec.scratch(thread, 0).get<float>((pieces + 1) * square + kept_every * z.size + z.n_t * rates);
            float *kept = memory, *lambda = kept + pieces * square, *decayed = lambda + square,
                  *decay = decayed + kept_every * z.size;
            head h{src, index, key_head, sequence, 1.0f / std::sqrt(float(z.size)), decay, {}};
            for (int i = 0; i < net_dy; i++) h.out[i] = out + at.offset[i];
            for (int64_t t = 0; t < z.n_t; t++) {
                const float * gate = row_of(src[net_gate], index, t, sequence);
                for (int64_t n = 0; n < rates; n++) decay[t * rates + n] = vector_exp(gate[n]);
                if (index == key_head) {
                    std::fill_n(h.d(net_q, t), z.size, 0.0f);
                    std::fill_n(h.d(net_k, t), z.size, 0.0f);
                }
                std::fill_n(h.d(net_gate, t), rates, 0.0f);
                h.d(net_beta, t)[0] = 0;
            }
            const int64_t state = (sequence * z.n_head + index) * square;
            std::memcpy(kept, static_cast<const float *>(src[net_state]->data) + state, size_t(square) * sizeof(float));
            std::memcpy(lambda, dfinal + state, size_t(square) * sizeof(float));
            run(z, h, kept, lambda, decayed);
            std::memcpy(h.out[net_state] + state, lambda, size_t(square) * sizeof(float));
        }
    });
}

}
