#include "cpu/kernels/scan-tile.h"

namespace llamatune {

using namespace scans;

namespace {

template <int vectors>
void scan_tile(const ggml_tensor * const * src, const sizes & z, const tile & t, float * y, float * final) {
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

}

bool scan_fits(const ggml_tensor * node) { return sizes(node->src).vectors() <= most_vectors; }

void scan(ggml_tensor * node, executor & exec) {
    const sizes z(node->src);
    const int64_t channels = z.head_dim * z.n_head;
    float * y = static_cast<float *>(node->data);
    float * final = y + channels * z.n_t * z.n_seqs;
    const auto run_tile =
        of_width<decltype(&scan_tile<1>)>(z, widths(), [](auto vectors) { return scan_tile<vectors()>; });
    for (int64_t sequence = 0; sequence < z.n_seqs; sequence++) {
        for (int64_t group = 0; group < z.n_group; group++) {
            for_tiles(node->src, z, group, sequence, exec, nullptr, [&](const tile & t, int) {
                run_tile(node->src, z, t, y + sequence * z.n_t * channels, final + sequence * channels * z.d_state);
            });
        }
    }
}

}
