#include "cpu/kernels/convolution.h"

#include "cpu/kernels/rows.h"
#include "cpu/kernels/vector-math.h"

#include <algorithm>

namespace llamatune {

namespace {

constexpr int64_t block_tokens = 32, block_channels = 1024; // a piece of work: its rows stay in the second-level cache

struct operands {
    const ggml_tensor *x, *past, *w, *bias;
    int64_t d_conv, d_inner, n_t, n_seqs;

    explicit operands(const ggml_tensor * const * src)
        : x(src[0]), past(src[1]), w(src[2]), bias(src[3]), d_conv(w->ne[0]), d_inner(x->ne[0]), n_t(x->ne[1]),
          n_seqs(x->ne[2]) {}
};

// The taps as rows, [d_conv][d_inner], and the past tokens as rows, [n_seqs][d_conv - 1][d_inner].
struct as_rows {
    const float *taps, *past;
};

as_rows turn(const operands & o, executor & exec) {
    const int64_t before = o.d_conv - 1;
    float * taps = exec.shared_scratch(0).get<float>((o.d_conv + before * o.n_seqs) * o.d_inner);
    float * past = taps + o.d_conv * o.d_inner;
    exec.run((o.d_inner + block_channels - 1) / block_channels, [&](int64_t block, int) {
        const int64_t first = block * block_channels, end = std::min(o.d_inner, first + block_channels);
        for (int64_t i = first; i < end; i++) {
            const float * w = row_of(o.w, i, 0, 0);
            for (int64_t k = 0; k < o.d_conv; k++) taps[k * o.d_inner + i] = w[k];
            for (int64_t s = 0; s < o.n_seqs; s++) {
                const float * row = row_of(o.past, i, s, 0);
                for (int64_t k = 0; k < before; k++) past[(s * before + k) * o.d_inner + i] = row[k];
            }
        }
    });
    return {taps, past};
}

// y[i] += w[i] x[i]
inline void add_product(const float * __restrict w, const float * __restrict x, int64_t n, float * __restrict y) {
    for (int64_t i = 0; i < n; i++) y[i] += w[i] * x[i];
}

// The value before the activation, for channels [first, first + n) of token t.
void sum_taps(const operands & o, const as_rows & r, int64_t t, int64_t sequence, int64_t first, int64_t n, float * y) {
    if (o.bias) {
        std::copy_n(row_of(o.bias, 0, 0, 0) + first, n, y);
    } else {
        std::fill_n(y, n, 0.0f);
    }
    for (int64_t k = 0; k < o.d_conv; k++) {
        const int64_t at = t + k - (o.d_conv - 1);
        const float * x =
            at >= 0 ? row_of(o.x, at, sequence, 0) : r.past + (sequence * (o.d_conv - 1) + t + k) * o.d_inner;
        add_product(r.taps + k * o.d_inner + first, x + first, n, y);
    }
}

void silu(float * __restrict y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] *= vector_sigmoid(y[i]);
}

// z := dy silu'(z)
void silu_back(const float * __restrict dy, int64_t n, float * __restrict z) {
    for (int64_t i = 0; i < n; i++) {
        const float s = vector_sigmoid(z[i]);
        z[i] = dy[i] * (s + z[i] * s * (1.0f - s));
    }
}

// work(first token, tokens, sequence, first channel, channels, thread)
template <typename Work>
void for_blocks(const operands & o, executor & exec, const Work & work) {
    const int64_t along = (o.n_t + block_tokens - 1) / block_tokens,
                  across = (o.d_inner + block_channels - 1) / block_channels;
    exec.run(along * across * o.n_seqs, [&](int64_t block, int thread) {
        const int64_t t = block / across % along * block_tokens, i = block % across * block_channels;
        work(t, std::min(block_tokens, o.n_t - t), block / across / along, i, std::min(block_channels, o.d_inner - i),
             thread);
    });
}

}

void convolve(bool with_silu, ggml_tensor * node, executor & exec) {
    const operands o(node->src);
    const as_rows r = turn(o, exec);
    for_blocks(o, exec, [&](int64_t t, int64_t tokens, int64_t sequence, int64_t first, int64_t n, int) {
        for (int64_t j = t; j < t + tokens; j++) {
            float * y = row_of(node, j, sequence, 0) + first;
            sum_taps(o, r, j, sequence, first, n, y);
            if (with_silu) silu(y, n);
        }
    });
}

void convolve_back(bool with_silu, ggml_tensor * node, executor & exec) {
    const ggml_tensor * dy = node->src[0];
    const operands o(node->src + 1);
    const as_rows r = turn(o, exec);
    for_blocks(o, exec, [&](int64_t t, int64_t tokens, int64_t sequence, int64_t first, int64_t n, int thread) {
        // gradients before the activation, of the tokens of this block and of the later tokens that read them
        const int64_t end = std::min(o.n_t, t + tokens + o.d_conv - 1);
        float * dz = exec.scratch(thread, 0).get<float>((block_tokens + o.d_conv) * block_channels);
        const auto row = [&](int64_t j) -> const float * {
            return with_silu ? dz + (j - t) * block_channels : row_of(dy, j, sequence, 0) + first;
        };
        for (int64_t j = t; j < end && with_silu; j++) {
            float * z = dz + (j - t) * block_channels;
            sum_taps(o, r, j, sequence, first, n, z);
            silu_back(row_of(dy, j, sequence, 0) + first, n, z);
        }
        for (int64_t j = t; j < t + tokens; j++) {
            float * dx = row_of(node, j, sequence, 0) + first;
            std::fill_n(dx, n, 0.0f);
            for (int64_t k = 0; k < o.d_conv; k++) { // token j was tap k of this one:
                const int64_t at = j + o.d_conv - 1 - k;
                if (at < o.n_t) add_product(r.taps + k * o.d_inner + first, row(at), n, dx);
            }
        }
    });
}

}
