#include "kernels/scan.h"

#include "kernels/rows.h"
#include "kernels/vector-math.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace llamatune {

namespace {

constexpr int64_t tile_channels = 16; // what one thread takes at a time: a cache line of x for each token
constexpr int64_t kept_every = 32;    // tokens between states that are kept
constexpr int64_t lanes = floats_in_vector;

struct sizes {
    int64_t d_state, head_dim, n_head, n_group, n_t, n_seqs;
    bool by_head;

    explicit sizes(const ggml_tensor * const * src)
        : d_state(src[scan_state]->ne[0]), head_dim(src[scan_x]->ne[0]), n_head(src[scan_x]->ne[1]), n_group(src[scan_b]->ne[1]),
          n_t(src[scan_x]->ne[2]), n_seqs(src[scan_x]->ne[3]), by_head(src[scan_a]->ne[0] == 1) {}

    // A state takes a power of two of vectors, the rest of them zeros: as many as a loop over them is unrolled for.
    int64_t vectors() const {
        int64_t n = 1;
        while (n * lanes < d_state) n *= 2;
        return n;
    }
    int64_t width() const { return vectors() * lanes; }
    int64_t channels_of_group() const { return head_dim * n_head / n_group; }
};

// In pairs: a sum for every token of every channel is too many to be added one number after another.
inline float sum_of(float_vector x) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps(__m512(x));
#else
    for (int64_t half = lanes / 2; half > 0; half /= 2) {
        for (int64_t j = 0; j < half; j++) x[j] += x[j + half];
    }
    return x[0];
#endif
}

struct delta_and_slope { float delta, slope, decay; };

// softplus as ggml has it, and its slope
inline delta_and_slope softplus(float x) {
    const float e = vector_exp(x);
    return { x > 20.0f ? x : std::log1p(e), x > 20.0f ? 1.0f : e / (1.0f + e), 0 };
}

// Channels first … first + n of one group of one sequence, their tokens gathered: [channel][token].
struct tile {
    int64_t first, n, sequence, group;
    float *delta, *slope, *x, *dy;
    float * rate;              // [channel][width], or [channel]
    float * decay;             // where a head's states decay alike
    const float *b, *c;        // [token][width]
};

// B or C of a group of a sequence, states padded with zeros to whole vectors.
void gather_rows(const ggml_tensor * t, const sizes & z, int64_t group, int64_t sequence, float * to) {
    const int64_t width = z.width();
    for (int64_t i = 0; i < z.n_t; i++) {
        std::memcpy(to + i * width, row_of(t, group, i, sequence), size_t(z.d_state) * sizeof(float));
        std::fill(to + i * width + z.d_state, to + (i + 1) * width, 0.0f);
    }
}

void gather(const ggml_tensor * const * src, const sizes & z, tile & t, const float * dy) {
    const int64_t width = z.by_head ? 1 : z.width();
    for (int64_t i = 0; i < z.n_t; i++) {
        const float * dt = row_of(src[scan_dt], i, t.sequence, 0);
        int64_t last_head = -1;
        delta_and_slope d {};
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

template <int vectors> using state_of = float_vector[vectors];

template <int vectors> inline void load(float_vector * to, const float * from) {
    for (int v = 0; v < vectors; v++) to[v] = load_floats(from + v * lanes);
}
template <int vectors> inline void store(float * to, const float_vector * from) {
    for (int v = 0; v < vectors; v++) store_floats(to + v * lanes, from[v]);
}

// s = decay s + B x δ for one token; `decay` is of a head's states where they are alike, else made from the rates.
template <bool by_head, int vectors>
inline void advance(float_vector * state, float delta, float input, const float * rate, float decay, const float * b, float * decays) {
    for (int v = 0; v < vectors; v++) {
        const float_vector a = by_head ? all_lanes(decay) : exp_of(all_lanes(delta) * load_floats(rate + v * lanes));
        if (!by_head && decays) store_floats(decays + v * lanes, a);
        state[v] = multiply_add(a, state[v], all_lanes(input) * load_floats(b + v * lanes));
    }
}

template <int vectors> inline float dot(const float_vector * a, const float * b) {
    float_vector even {}, odd {};
    for (int v = 0; v + 1 < vectors; v += 2) {
        even = multiply_add(a[v], load_floats(b + v * lanes), even);
        odd = multiply_add(a[v + 1], load_floats(b + (v + 1) * lanes), odd);
    }
    if (vectors == 1) even = a[0] * load_floats(b);
    return sum_of(even + odd);
}

const float * start_of(const ggml_tensor * const * src, const sizes & z, const tile & t, int64_t j) {
    const int32_t id = static_cast<const int32_t *>(src[scan_ids]->data)[t.sequence];
    return row_of(src[scan_state], (t.first + j) % z.head_dim, (t.first + j) / z.head_dim, id);
}

template <int vectors> void scan_tile(const ggml_tensor * const * src, const sizes & z, const tile & t, float * y, float * final) {
    constexpr int64_t width = vectors * lanes;
    float number[width] = {};
    state_of<vectors> state;
    for (int64_t j = 0; j < t.n; j++) {
        std::memcpy(number, start_of(src, z, t, j), size_t(z.d_state) * sizeof(float));
        load<vectors>(state, number);
        const float *delta = t.delta + j * z.n_t, *rate = t.rate + j * width;
        float * x = t.x + j * z.n_t;
        for (int64_t i = 0; i < z.n_t; i++) {
            advance<false, vectors>(state, delta[i], x[i] * delta[i], rate, 0, t.b + i * width, nullptr);
            x[i] = dot<vectors>(state, t.c + i * width); // no longer needed
        }
        store<vectors>(number, state);
        std::memcpy(final + (t.first + j) * z.d_state, number, size_t(z.d_state) * sizeof(float));
    }
    for (int64_t i = 0; i < z.n_t; i++) {
        for (int64_t j = 0; j < t.n; j++) y[i * z.head_dim * z.n_head + t.first + j] = t.x[j * z.n_t + i];
    }
}

// Rooms of a thread.
enum slot { gathered, states, sums };

// Sets up a tile's memory; `with_dy` for the backward pass.
tile tile_for(executor & on, int thread, const sizes & z, bool with_dy) {
    const int64_t of_tokens = tile_channels * z.n_t;
    float * memory = on.own(thread, gathered).of<float>(5 * of_tokens + tile_channels * z.width());
    tile t {};
    t.rate = memory;
    t.delta = memory + tile_channels * z.width();
    t.x = t.delta + of_tokens;
    t.decay = t.x + of_tokens;
    t.slope = with_dy ? t.decay + of_tokens : nullptr;
    t.dy = with_dy ? t.decay + 2 * of_tokens : nullptr;
    return t;
}

// work(tile, thread) for all tiles of a group of a sequence.
template <typename Work>
void for_tiles(const ggml_tensor * const * src, const sizes & z, int64_t group, int64_t sequence, executor & on, const float * dy, const Work & work) {
    const int64_t rows = z.n_t * z.width();
    float * bc = on.shared(0).of<float>(2 * rows);
    gather_rows(src[scan_b], z, group, sequence, bc);
    gather_rows(src[scan_c], z, group, sequence, bc + rows);
    // a head's channels stay together, their gradients are summed: tiles within a piece of whole heads
    const int64_t piece = z.head_dim >= tile_channels ? z.head_dim : tile_channels / z.head_dim * z.head_dim;
    const int64_t channels = z.channels_of_group();
    on.run((channels + piece - 1) / piece, [&](int64_t index, int thread) {
        const int64_t end = std::min(channels, (index + 1) * piece);
        for (int64_t first = index * piece; first < end; first += tile_channels) {
            tile t = tile_for(on, thread, z, dy != nullptr);
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

struct gradient_sums { float *b, *c; }; // of a thread: [token][width]

// d(x), d(δ) and d(rate) replace x, δ and the rate in the tile; d(B) and d(C) are added to `sum`.
template <bool by_head, int vectors>
void scan_back_channel(const sizes & z, const tile & t, int64_t j, const float * start, const float * dfinal, const gradient_sums & sum,
                       float * room, float * dstart) {
    constexpr int64_t width = vectors * lanes;
    const int64_t n_t = z.n_t, n_kept = (n_t + kept_every - 1) / kept_every;
    float *delta = t.delta + j * n_t, *x = t.x + j * n_t, *rate = t.rate + j * (by_head ? 1 : width);
    const float *dy = t.dy + j * n_t, *alike = t.decay + j * n_t;
    float * kept = room;                              // [n_kept][width], before tokens 0, 32, …
    float * states = kept + n_kept * width;           // [33][width], before a piece's first token and after each
    float * decays = states + (kept_every + 1) * width; // [32][width], where they differ
    float number[width] = {};
    state_of<vectors> state, lambda, drate {};        // lambda: the gradient of the state

    std::memcpy(number, start, size_t(z.d_state) * sizeof(float));
    load<vectors>(state, number);
    for (int64_t k = 0; k < n_kept; k++) {
        store<vectors>(kept + k * width, state);
        for (int64_t i = k * kept_every; i < (k + 1) * kept_every && k + 1 < n_kept; i++) {
            advance<by_head, vectors>(state, delta[i], x[i] * delta[i], rate, alike[i], t.b + i * width, nullptr);
        }
    }
    std::memcpy(number, dfinal, size_t(z.d_state) * sizeof(float));
    load<vectors>(lambda, number);
    float drate_alike = 0;
    for (int64_t k = n_kept; k-- > 0;) {
        const int64_t from = k * kept_every, to = std::min(n_t, from + kept_every);
        load<vectors>(state, kept + k * width);
        store<vectors>(states, state);
        for (int64_t i = from; i < to; i++) {
            advance<by_head, vectors>(state, delta[i], x[i] * delta[i], rate, alike[i], t.b + i * width, decays + (i - from) * width);
            store<vectors>(states + (i - from + 1) * width, state);
        }
        for (int64_t i = to; i-- > from;) {
            const float *before = states + (i - from) * width, *after = before + width, *a = decays + (i - from) * width;
            const float *b = t.b + i * width, *c = t.c + i * width;
            float *db = sum.b + i * width, *dc = sum.c + i * width;
            const float_vector dy_i = all_lanes(dy[i]), input = all_lanes(x[i] * delta[i]), delta_i = all_lanes(delta[i]);
            float_vector dinput {}, dlog {};
            for (int v = 0; v < vectors; v++) {
                const int64_t n = v * lanes;
                const float_vector here = multiply_add(load_floats(c + n), dy_i, lambda[v]);
                store_floats(dc + n, multiply_add(load_floats(after + n), dy_i, load_floats(dc + n)));
                store_floats(db + n, multiply_add(here, input, load_floats(db + n)));
                dinput = multiply_add(here, load_floats(b + n), dinput);
                lambda[v] = here * (by_head ? all_lanes(alike[i]) : load_floats(a + n));
                const float_vector of_log = lambda[v] * load_floats(before + n); // d(δ rate)
                if (by_head) {
                    dlog += of_log;
                } else {
                    dlog = multiply_add(of_log, load_floats(rate + n), dlog);
                    drate[v] = multiply_add(of_log, delta_i, drate[v]);
                }
            }
            const float du = sum_of(dinput), dl = sum_of(dlog);
            if (by_head) drate_alike += dl * delta[i];
            const float ddelta = du * x[i] + (by_head ? dl * rate[0] : dl);
            x[i] = du * delta[i];
            delta[i] = ddelta;
        }
    }
    store<vectors>(number, lambda);
    std::memcpy(dstart, number, size_t(z.d_state) * sizeof(float));
    if (by_head) {
        rate[0] = drate_alike;
    } else {
        store<vectors>(rate, drate);
    }
}

using scan_tile_fn = decltype(&scan_tile<1>);
using scan_back_fn = decltype(&scan_back_channel<true, 1>);

template <int... vectors> struct for_widths {
    static constexpr int64_t most = std::max({ vectors... });
    static scan_tile_fn forward(const sizes & z) {
        scan_tile_fn found = nullptr;
        ((z.vectors() == vectors ? void(found = scan_tile<vectors>) : void()), ...);
        return found;
    }
    static scan_back_fn backward(const sizes & z) {
        scan_back_fn found = nullptr;
        ((z.vectors() == vectors ? void(found = z.by_head ? scan_back_channel<true, vectors> : scan_back_channel<false, vectors>) : void()), ...);
        return found;
    }
};
using widths = for_widths<1, 2, 4, 8, 16, 32, 64>;

}

bool scan_fits(const ggml_tensor * node) { return sizes(node->src).vectors() <= widths::most; }

scan_result scan_back_layout(const ggml_tensor * const * src) {
    const sizes z(src);
    const int64_t of_x = ggml_nelements(src[scan_x]), of_dt = ggml_nelements(src[scan_dt]), of_a = ggml_nelements(src[scan_a]);
    const int64_t of_b = ggml_nelements(src[scan_b]), of_state = z.d_state * z.head_dim * z.n_head * z.n_seqs;
    scan_result r {};
    r.dt = of_x;
    r.a = r.dt + of_dt;
    r.b = r.a + of_a;
    r.c = r.b + of_b;
    r.state = r.c + of_b;
    r.size = r.state + of_state;
    return r;
}

void scan(ggml_tensor * node, executor & on) {
    const sizes z(node->src);
    const int64_t channels = z.head_dim * z.n_head;
    float * y = static_cast<float *>(node->data);
    float * final = y + channels * z.n_t * z.n_seqs;
    const scan_tile_fn run_tile = widths::forward(z);
    for (int64_t sequence = 0; sequence < z.n_seqs; sequence++) {
        for (int64_t group = 0; group < z.n_group; group++) {
            for_tiles(node->src, z, group, sequence, on, nullptr, [&](const tile & t, int) {
                run_tile(node->src, z, t, y + sequence * z.n_t * channels, final + sequence * channels * z.d_state);
            });
        }
    }
}

void scan_back(ggml_tensor * node, executor & on) {
    const ggml_tensor * const * src = node->src;
    const sizes z(src);
    const scan_result at = scan_back_layout(src);
    const int64_t channels = z.head_dim * z.n_head, width = z.width(), rows = z.n_t * width, n_kept = (z.n_t + kept_every - 1) / kept_every;
    const int64_t of_rate = src[scan_a]->ne[0], rate_width = z.by_head ? 1 : width;
    float * out = static_cast<float *>(node->data);
    const float * dy = static_cast<const float *>(src[scan_dy]->data);
    const float * dfinal = dy + ggml_nelements(src[scan_x]);
    const scan_back_fn run_channel = widths::backward(z);
    std::fill(out + at.dt, out + at.b, 0.0f); // of dt and A: sums over channels, and A's over sequences
    for (int64_t sequence = 0; sequence < z.n_seqs; sequence++) {
        for (int64_t group = 0; group < z.n_group; group++) {
            std::vector<float *> sum_of(size_t(on.n_threads()));
            for (int thread = 0; thread < on.n_threads(); thread++) {
                sum_of[size_t(thread)] = on.own(thread, sums).of<float>(2 * rows);
                std::fill_n(sum_of[size_t(thread)], 2 * rows, 0.0f);
            }
            for_tiles(src, z, group, sequence, on, dy, [&](const tile & t, int thread) {
                float * room = on.own(thread, states).of<float>((n_kept + 2 * kept_every + 1) * width);
                const gradient_sums sum { sum_of[size_t(thread)], sum_of[size_t(thread)] + rows };
                for (int64_t j = 0; j < t.n; j++) {
                    const int64_t channel = sequence * channels + t.first + j;
                    run_channel(z, t, j, start_of(src, z, t, j), dfinal + channel * z.d_state, sum, room, out + at.state + channel * z.d_state);
                }
                for (int64_t i = 0; i < z.n_t; i++) {
                    float * dx = out + (sequence * z.n_t + i) * channels;
                    float * ddt = out + at.dt + (sequence * z.n_t + i) * z.n_head;
                    for (int64_t j = 0; j < t.n; j++) {
                        dx[t.first + j] = t.x[j * z.n_t + i];
                        ddt[(t.first + j) / z.head_dim] += t.delta[j * z.n_t + i] * t.slope[j * z.n_t + i];
                    }
                }
                for (int64_t j = 0; j < t.n; j++) {
                    float * da = out + at.a + (t.first + j) / z.head_dim * of_rate;
                    for (int64_t n = 0; n < of_rate; n++) da[n] += t.rate[j * rate_width + n];
                }
            });
            on.run(z.n_t, [&](int64_t i, int) {
                const int64_t row = ((sequence * z.n_t + i) * z.n_group + group) * z.d_state;
                for (int64_t n = 0; n < z.d_state; n++) {
                    float b = 0, c = 0;
                    for (const float * sum : sum_of) {
                        b += sum[i * width + n];
                        c += sum[rows + i * width + n];
                    }
                    out[at.b + row + n] = b;
                    out[at.c + row + n] = c;
                }
            });
        }
    }
}

}
