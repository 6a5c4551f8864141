#include "cpu/kernels/scan-tile.h"

#include <vector>

namespace llamatune {

using namespace scans;

namespace {

struct gradient_sums {
    float *b, *c;
}; // per thread: [token][width]

// d(x), d(δ) and d(rate) replace x, δ and the rate in the tile; d(B) and d(C) are added to `sum`.
template <bool by_head, int vectors>
void scan_back_channel(const sizes & z, const tile & t, int64_t j, const float * start, const float * dfinal,
                       const gradient_sums & sum, float * scratch, float * dstart) {
    constexpr int64_t width = vectors * lanes;
    const int64_t n_t = z.n_t, n_kept = (n_t + kept_every - 1) / kept_every;
    float *delta = t.delta + j * n_t, *x = t.x + j * n_t, *rate = t.rate + j * (by_head ? 1 : width);
    const float *dy = t.dy + j * n_t, *alike = t.decay + j * n_t;
    float * kept = scratch;                             // [n_kept][width], before tokens 0, 32, …
    float * states = kept + n_kept * width;             // [33][width], before a piece's first token and after each
    float * decays = states + (kept_every + 1) * width; // [32][width], if they differ
    float number[width] = {};
    state_of<vectors> state, lambda, drate{}; // lambda: the gradient of the state

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
            advance<by_head, vectors>(state, delta[i], x[i] * delta[i], rate, alike[i], t.b + i * width,
                                      decays + (i - from) * width);
            store<vectors>(states + (i - from + 1) * width, state);
        }
        for (int64_t i = to; i-- > from;) {
            const float *before = states + (i - from) * width, *after = before + width,
                        *a = decays + (i - from) * width;
            const float *b = t.b + i * width, *c = t.c + i * width;
            float *db = sum.b + i * width, *dc = sum.c + i * width;
            const float_vector dy_i = all_lanes(dy[i]), input = all_lanes(x[i] * delta[i]),
                               delta_i = all_lanes(delta[i]);
            float_vector dinput{}, dlog{};
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

}

scan_result scan_back_layout(const ggml_tensor * const * src) {
    const sizes z(src);
    const int64_t of_x = ggml_nelements(src[scan_x]), of_dt = ggml_nelements(src[scan_dt]),
                  of_a = ggml_nelements(src[scan_a]);
    const int64_t of_b = ggml_nelements(src[scan_b]), of_state = z.d_state * z.head_dim * z.n_head * z.n_seqs;
    scan_result r{};
    r.dt = of_x;
    r.a = r.dt + of_dt;
    r.b = r.a + of_a;
    r.c = r.b + of_b;
    r.state = r.c + of_b;
    r.size = r.state + of_state;
    return r;
}

void scan_back(ggml_tensor * node, executor & exec) {
    const ggml_tensor * const * src = node->src;
    const sizes z(src);
    const scan_result at = scan_back_layout(src);
    const int64_t channels = z.head_dim * z.n_head, width = z.width(), rows = z.n_t * width,
                  n_kept = (z.n_t + kept_every - 1) / kept_every;
    const int64_t of_rate = src[scan_a]->ne[0], rate_width = z.by_head ? 1 : width;
    float * out = static_cast<float *>(node->data);
    const float * dy = static_cast<const float *>(src[scan_dy]->data);
    const float * dfinal = dy + ggml_nelements(src[scan_x]);
    const auto run_channel = of_width<decltype(&scan_back_channel<true, 1>)>(z, widths(), [&](auto vectors) {
        return z.by_head ? scan_back_channel<true, vectors()> : scan_back_channel<false, vectors()>;
    });
    std::fill(out + at.dt, out + at.b, 0.0f); // of dt and A: sums over channels, and A's over sequences
    for (int64_t sequence = 0; sequence < z.n_seqs; sequence++) {
        for (int64_t group = 0; group < z.n_group; group++) {
            std::vector<float *> sum_of(size_t(exec.n_threads()));
            for (int thread = 0; thread < exec.n_threads(); thread++) {
                sum_of[size_t(thread)] = exec.scratch(thread, sums).get<float>(2 * rows);
                std::fill_n(sum_of[size_t(thread)], 2 * rows, 0.0f);
            }
            for_tiles(src, z, group, sequence, exec, dy, [&](const tile & t, int thread) {
                float * scratch = exec.scratch(thread, states).get<float>((n_kept + 2 * kept_every + 1) * width);
                const gradient_sums sum{sum_of[size_t(thread)], sum_of[size_t(thread)] + rows};
                for (int64_t j = 0; j < t.n; j++) {
                    const int64_t channel = sequence * channels + t.first + j;
                    run_channel(z, t, j, start_of(src, z, t, j), dfinal + channel * z.d_state, sum, scratch,
                                out + at.state + channel * z.d_state);
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
            exec.run(z.n_t, [&](int64_t i, int) {
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
