#pragma once

// Shared by the kernels of scan.h: how work is divided into tiles, and the step of one token.

#include "cpu/kernels/rows.h"
#include "cpu/kernels/scan.h"
#include "cpu/kernels/vector-math.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace llamatune::scans {

constexpr int64_t tile_channels = 16; // per piece of work: one cache line of x per token
constexpr int64_t kept_every = 32;    // tokens between kept states
constexpr int64_t lanes = floats_in_vector;

struct sizes {
    int64_t d_state, head_dim, n_head, n_group, n_t, n_seqs;
    bool by_head;

    explicit sizes(const ggml_tensor * const * src)
        : d_state(src[scan_state]->ne[0]), head_dim(src[scan_x]->ne[0]), n_head(src[scan_x]->ne[1]),
          n_group(src[scan_b]->ne[1]), n_t(src[scan_x]->ne[2]), n_seqs(src[scan_x]->ne[3]),
          by_head(src[scan_a]->ne[0] == 1) {}

    // A state is padded with zeros to a power of two of vectors, for which the loops are unrolled.
    int64_t vectors() const {
        int64_t n = 1;
        while (n * lanes < d_state) n *= 2;
        return n;
    }
    int64_t width() const { return vectors() * lanes; }
    int64_t channels_of_group() const { return head_dim * n_head / n_group; }
};

struct delta_and_slope {
    float delta, slope, decay;
};

// ggml's softplus and its derivative
inline delta_and_slope softplus(float x) {
    const float e = vector_exp(x);
    return {x > 20.0f ? x : std::log1p(e), x > 20.0f ? 1.0f : e / (1.0f + e), 0};
}

// Channels first … first + n of one group of one sequence, their tokens gathered: [channel][token].
struct tile {
    int64_t first, n, sequence, group;
    float *delta, *slope, *x, *dy;
    float * rate;       // [channel][width], or [channel]
    float * decay;      // if all states of a head decay at one rate
    const float *b, *c; // [token][width]
};

// B or C of a group of a sequence, states padded with zeros to whole vectors.
inline void gather_rows(const ggml_tensor * t, const sizes & z, int64_t group, int64_t sequence, float * to) {
    const int64_t width = z.width();
    for (int64_t i = 0; i < z.n_t; i++) {
        std::memcpy(to + i * width, row_of(t, group, i, sequence), size_t(z.d_state) * sizeof(float));
        std::fill(to + i * width + z.d_state, to + (i + 1) * width, 0.0f);
    }
}

inline void gather(const ggml_tensor * const * src, const sizes & z, tile & t, const float * dy) {
    const int64_t width = z.by_head ? 1 : z.width();
    for (int64_t i = 0; i < z.n_t; i++) {
        const float * dt = row_of(src[scan_dt], i, t.sequence, 0);
        int64_t last_head = -1;
        delta_and_slope d{};
        for (int64_t j = 0; j < t.n; j++) {
            const int64_t head = (t.first + j) / z.head_dim, p = (t.first + j) % z.head_dim;
            if (head != last_head) {
                d = softplus(dt[head]);
                if (z.by_head) d.decay = vector_exp(d.delta * row_of(src[scan_a], head, 0, 0)[0]);
                last_head = head;
            }
            if (z.by_head) t.decay[j * z.n_t + i] = d.decay;
            t.delta[j * z.n_t + i] = d.delta;
            if (t.slope) t.slope[j * z.n_t + i] = d.slope;
            t.x[j * z.n_t + i] = row_of(src[scan_x], head, i, t.sequence)[p];
            if (dy) t.dy[j * z.n_t + i] = dy[(t.sequence * z.n_t + i) * z.head_dim * z.n_head + t.first + j];
        }
    }
    for (int64_t j = 0; j < t.n; j++) {
        const float * rate = row_of(src[scan_a], (t.first + j) / z.head_dim, 0, 0);
        std::fill(t.rate + j * width, t.rate + (j + 1) * width, 0.0f);
        std::memcpy(t.rate + j * width, rate, size_t(src[scan_a]->ne[0]) * sizeof(float));
    }
}

template <int vectors>
using state_of = float_vector[vectors];

template <int vectors>
inline void load(float_vector * to, const float * from) {
    for (int v = 0; v < vectors; v++) to[v] = load_floats(from + v * lanes);
}
template <int vectors>
inline void store(float * to, const float_vector * from) {
    for (int v = 0; v < vectors; v++) store_floats(to + v * lanes, from[v]);
}

// s = decay s + B x δ for one token; `decay` is given if all states of a head have one rate, otherwise computed.
template <bool by_head, int vectors>
inline void advance(float_vector * state, float delta, float input, const float * rate, float decay, const float * b,
                    float * decays) {
    for (int v = 0; v < vectors; v++) {
        const float_vector a = by_head ? all_lanes(decay) : exp_of(all_lanes(delta) * load_floats(rate + v * lanes));
        if (!by_head && decays) store_floats(decays + v * lanes, a);
        state[v] = multiply_add(a, state[v], all_lanes(input) * load_floats(b + v * lanes));
    }
}

template <int vectors>
inline float dot(const float_vector * a, const float * b) {
    float_vector even{}, odd{};
    for (int v = 0; v + 1 < vectors; v += 2) {
        even = multiply_add(a[v], load_floats(b + v * lanes), even);
        odd = multiply_add(a[v + 1], load_floats(b + (v + 1) * lanes), odd);
    }
    if (vectors == 1) even = a[0] * load_floats(b);
    return sum_of(even + odd);
}

inline const float * start_of(const ggml_tensor * const * src, const sizes & z, const tile & t, int64_t j) {
    const int32_t id = static_cast<const int32_t *>(src[scan_ids]->data)[t.sequence];
    return row_of(src[scan_state], (t.first + j) % z.head_dim, (t.first + j) / z.head_dim, id);
}

// Scratch slots of a thread.
enum slot { gathered, states, sums };

// Sets up a tile's memory; `with_dy` for the backward pass.
inline tile tile_for(executor & exec, int thread, const sizes & z, bool with_dy) {
    const int64_t of_tokens = tile_channels * z.n_t;
    float * memory = exec.scratch(thread, gathered).get<float>(5 * of_tokens + tile_channels * z.width());
    tile t{};
    t.rate = memory;
    t.delta = memory + tile_channels * z.width();
    t.x = t.delta + of_tokens;
    t.decay = t.x + of_tokens;
    t.slope = with_dy ? t.decay + of_tokens : nullptr;
    t.dy = with_dy ? t.decay + 2 * of_tokens : nullptr;
    return t;
}

// Calls work(tile, thread) for all tiles of a group of a sequence.
template <typename Work>
void for_tiles(const ggml_tensor * const * src, const sizes & z, int64_t group, int64_t sequence, executor & exec,
               const float * dy, const Work & work) {
    const int64_t rows = z.n_t * z.width();
    float * bc = exec.shared_scratch(0).get<float>(2 * rows);
    gather_rows(src[scan_b], z, group, sequence, bc);
    gather_rows(src[scan_c], z, group, sequence, bc + rows);
    // a piece of work has whole heads, since the gradients of the channels of a head are summed
    const int64_t piece = z.head_dim >= tile_channels ? z.head_dim : tile_channels / z.head_dim * z.head_dim;
    const int64_t channels = z.channels_of_group();
    exec.run((channels + piece - 1) / piece, [&](int64_t index, int thread) {
        const int64_t end = std::min(channels, (index + 1) * piece);
        for (int64_t first = index * piece; first < end; first += tile_channels) {
            tile t = tile_for(exec, thread, z, dy != nullptr);
            t.first = group * channels + first;
            t.n = std::min(tile_channels, end - first);
            t.sequence = sequence;
            t.group = group;
            t.b = bc;
            t.c = bc + rows;
            gather(src, z, t, dy);
            work(t, thread);
        }
    });
}

// Returns choose(std::integral_constant<int, vectors>()) for the number of vectors of a state.
template <typename Function, int... vectors, typename Choose>
Function of_width(const sizes & z, std::integer_sequence<int, vectors...>, const Choose & choose) {
    Function found = nullptr;
    ((z.vectors() == vectors ? void(found = choose(std::integral_constant<int, vectors>())) : void()), ...);
    return found;
}
using widths = std::integer_sequence<int, 1, 2, 4, 8, 16, 32, 64>;
constexpr int64_t most_vectors = 64;

}
