#include "cpu/accelerator.h"

#include <cmath>
#include <cstdint>
#include <cstring>

// The compiler makes a copy of the loops for each generation of CPUs; the loader chooses one.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) &&                           \
    !defined(__SANITIZE_ADDRESS__)
#define LLAMATUNE_PER_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LLAMATUNE_PER_CPU
#endif

namespace llamatune {

namespace {

constexpr int64_t lanes = 16;   // partial sums, which the compiler can vectorize
constexpr int64_t block = 4096; // numbers that are summed in F32; the sums of blocks are summed in double

// exp(x) for x <= 0, relative error below 2e-7: x = n ln 2 + f with |f| <= ln 2 / 2, then Taylor's polynomial in f.
inline float exp_of_negative(float x) {
    x = x < -87.0f ? -87.0f : x;                         // e^-87 is the smallest normal number
    const float shifted = x * 1.44269504f + 12582912.0f; // 1.5 · 2^23: adding it rounds to an integer
    const float n = shifted - 12582912.0f;
    const float f = (x - n * 0.693145752f) - n * 1.42860677e-6f;
    const float p =
        1.0f + f * (1.0f + f * (0.5f + f * (1.0f / 6 + f * (1.0f / 24 + f * (1.0f / 120 + f * (1.0f / 720))))));
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    const int32_t scale_bits = (bits - 0x4b400000 + 127) << 23; // 2^n
    float scale;
    std::memcpy(&scale, &scale_bits, sizeof(scale));
    return p * scale;
}

LLAMATUNE_PER_CPU float maximum(const float * x, int64_t n) {
    float best[lanes];
    for (int64_t j = 0; j < lanes; j++) best[j] = x[j < n ? j : 0];
    const int64_t whole = n / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) {
        for (int64_t j = 0; j < lanes; j++) best[j] = x[i + j] > best[j] ? x[i + j] : best[j];
    }
    float result = best[0];
    for (int64_t j = 1; j < lanes; j++) result = best[j] > result ? best[j] : result;
    for (int64_t i = whole; i < n; i++) result = x[i] > result ? x[i] : result;
    return result;
}

// Σ exp(x - highest); writes the terms to `out` unless it is null
LLAMATUNE_PER_CPU double exponentials(const float * x, float * out, int64_t n, float highest) {
    double total = 0;
    for (int64_t first = 0; first < n; first += block) {
        const int64_t count = n - first < block ? n - first : block;
        const int64_t whole = count / lanes * lanes;
        float sums[lanes] = {};
        for (int64_t i = 0; i < whole; i += lanes) {
            float e[lanes];
            for (int64_t j = 0; j < lanes; j++) e[j] = exp_of_negative(x[first + i + j] - highest);
            for (int64_t j = 0; j < lanes; j++) sums[j] += e[j];
            if (out) {
                for (int64_t j = 0; j < lanes; j++) out[first + i + j] = e[j];
            }
        }
        for (int64_t i = whole; i < count; i++) {
            const float e = exp_of_negative(x[first + i] - highest);
            sums[0] += e;
            if (out) out[first + i] = e;
        }
        for (float s : sums) total += s;
    }
    return total;
}

LLAMATUNE_PER_CPU double sum_of(const float * x, int64_t n) {
    double total = 0;
    for (int64_t first = 0; first < n; first += block) {
        const int64_t end = n - first < block ? n : first + block;
        const int64_t whole = first + (end - first) / lanes * lanes;
        float sums[lanes] = {};
        for (int64_t i = first; i < whole; i += lanes) {
            for (int64_t j = 0; j < lanes; j++) sums[j] += x[i + j];
        }
        for (int64_t i = whole; i < end; i++) sums[0] += x[i];
        for (float s : sums) total += s;
    }
    return total;
}

LLAMATUNE_PER_CPU void scale_all(float * x, int64_t n, float factor, float offset) {
    for (int64_t i = 0; i < n; i++) x[i] = x[i] * factor + offset;
}

template <bool with_gradient>
void run(ggml_tensor * node, int thread, int n_threads, void * label_smoothing) {
    ggml_tensor * logits = node->src[0];
    const int32_t * targets = static_cast<const int32_t *>(node->src[1]->data);
    const float * weights = static_cast<const float *>(node->src[2]->data);
    float * losses = static_cast<float *>(node->src[3]->data);
    float * is_best = static_cast<float *>(node->src[4]->data);
    const double smoothing = label_smoothing ? double(*static_cast<const float *>(label_smoothing)) : 0;
    const int64_t n_vocab = logits->ne[0];
    for (int64_t column = thread; column < logits->ne[1]; column += n_threads) {
        float * x = static_cast<float *>(logits->data) + column * n_vocab;
        const float highest = maximum(x, n_vocab);
        const float target = x[targets[column]];
        is_best[column] = target >= highest;
        const double above_mean = smoothing > 0 ? double(target) - sum_of(x, n_vocab) / double(n_vocab) : 0;
        const double sum = exponentials(x, with_gradient ? x : nullptr, n_vocab, highest);
        losses[column] = float(double(highest) - double(target) + std::log(sum) + smoothing * above_mean);
        if (with_gradient) {
            const double weight = double(weights[column]);
            scale_all(x, n_vocab, float(weight / sum), float(-weight * smoothing / double(n_vocab)));
            x[targets[column]] -= float(weight * (1 - smoothing));
        }
    }
}

}

ggml_tensor * build_host_cross_entropy(ggml_context * ctx, ggml_tensor * logits, ggml_tensor * targets,
                                       ggml_tensor * weights, const host_cross_entropy_outputs & outputs,
                                       const float * label_smoothing, bool with_gradient) {
    ggml_tensor * all[] = {logits, targets, weights, outputs.losses, outputs.is_best};
    void * smoothing = const_cast<float *>(label_smoothing); // which run() only reads
    if (with_gradient) return ggml_custom_inplace(ctx, logits, all + 1, 4, run<true>, GGML_N_TASKS_MAX, smoothing);
    return ggml_custom_4d(ctx, GGML_TYPE_F32, 1, 1, 1, 1, all, 5, run<false>, GGML_N_TASKS_MAX, smoothing);
}

}
