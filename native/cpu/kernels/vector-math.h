#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX__)
#include <immintrin.h>
#endif

namespace llamatune {

// For loops that the compiler vectorizes: branch-free functions of one number, and sums in lanes.

constexpr int64_t vector_lanes = 16; // partial sums: without -ffast-math the compiler may not regroup one sum

inline float sum_of_lanes(const float * lanes) {
    float total = 0;
    for (int64_t j = 0; j < vector_lanes; j++) total += lanes[j];
    return total;
}

// a · b + c, rounded once where the CPU has an instruction for it.
inline float multiply_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

// exp(x) with a relative error below 1e-7 for |x| <= 87; 0 below, e^87 above, NaN for NaN.
// x = n ln 2 + f with |f| <= ln 2 / 2, then Taylor's polynomial in f.
inline float vector_exp(float x) {
    const float lower = x < -87.0f ? -87.0f : x;
    const float bounded = lower > 87.0f ? 87.0f : lower;
    const float shifted = multiply_add(bounded, 1.44269504f, 12582912.0f); // 1.5 · 2^23: adding it rounds to an integer
    const float n = shifted - 12582912.0f;
    const float f = multiply_add(n, -1.42860677e-6f, multiply_add(n, -0.693145752f, bounded));
    float p = multiply_add(f, 1.0f / 5040, 1.0f / 720);
    p = multiply_add(f, p, 1.0f / 120);
    p = multiply_add(f, p, 1.0f / 24);
    p = multiply_add(f, p, 1.0f / 6);
    p = multiply_add(f, p, 0.5f);
    p = multiply_add(f, p, 1.0f);
    p = multiply_add(f, p, 1.0f);
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    const uint32_t scale_bits = uint32_t(bits - 0x4b400000 + 127) << 23; // 2^n
    float scale;
    std::memcpy(&scale, &scale_bits, sizeof(scale));
    return x < -87.0f ? 0.0f : p * scale; // no denormal numbers: they slow down products
}

inline float vector_sigmoid(float x) { return 1.0f / (1.0f + vector_exp(-x)); }

// Rounds to nearest even; NaN stays NaN.
inline uint16_t round_to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

// For loops that must be vectorized explicitly: as many numbers as a vector register holds.
#if defined(__AVX512F__)
constexpr size_t vector_bytes = 64;
#elif defined(__AVX__)
constexpr size_t vector_bytes = 32;
#else
constexpr size_t vector_bytes = 16;
#endif
constexpr int64_t floats_in_vector = int64_t(vector_bytes / sizeof(float));
typedef float float_vector __attribute__((vector_size(vector_bytes)));
typedef int32_t int_vector __attribute__((vector_size(vector_bytes)));
typedef uint32_t unsigned_vector __attribute__((vector_size(vector_bytes)));
typedef uint16_t short_vector __attribute__((vector_size(vector_bytes / 2)));

inline float_vector all_lanes(float x) { return float_vector{} + x; }

inline float_vector load_floats(const float * from) {
    float_vector x;
    std::memcpy(&x, from, sizeof(x));
    return x;
}

inline void store_floats(float * to, float_vector x) { std::memcpy(to, &x, sizeof(x)); }

inline float_vector highest_of(float_vector a, float_vector b) { return a > b ? a : b; }

inline float highest_lane(float_vector x) {
    float highest = x[0];
    for (int j = 1; j < floats_in_vector; j++) highest = x[j] > highest ? x[j] : highest;
    return highest;
}

inline float sum_of_lanes(float_vector x) {
    float total = 0;
    for (int j = 0; j < floats_in_vector; j++) total += x[j];
    return total;
}

inline float_vector multiply_add(float_vector a, float_vector b, float_vector c) {
#if defined(__AVX512F__)
    return float_vector(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
#elif defined(__AVX__) && defined(__FMA__)
    return float_vector(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
#else
    return a * b + c;
#endif
}

// vector_exp() of each.
inline float_vector exp_of(float_vector x) {
    const float_vector least = all_lanes(-87.0f), most = all_lanes(87.0f);
#if defined(__AVX512F__)
    const __m512 at_most = _mm512_min_ps(__m512(most), __m512(x)); // NaN if x is NaN
    const __m512 n512 = _mm512_roundscale_ps(_mm512_mul_ps(at_most, _mm512_set1_ps(1.44269504f)), 0);
    const float_vector n = float_vector(n512), bounded = float_vector(at_most);
#else
    const float_vector lower = x < least ? least : x;
    const float_vector bounded = lower > most ? most : lower;
    const float_vector round = all_lanes(12582912.0f);
    const float_vector shifted = multiply_add(bounded, all_lanes(1.44269504f), round);
    const float_vector n = shifted - round;
#endif
    const float_vector f =
        multiply_add(n, all_lanes(-1.42860677e-6f), multiply_add(n, all_lanes(-0.693145752f), bounded));
    float_vector p = multiply_add(f, all_lanes(1.0f / 5040), all_lanes(1.0f / 720));
    p = multiply_add(f, p, all_lanes(1.0f / 120));
    p = multiply_add(f, p, all_lanes(1.0f / 24));
    p = multiply_add(f, p, all_lanes(1.0f / 6));
    p = multiply_add(f, p, all_lanes(0.5f));
    p = multiply_add(f, p, all_lanes(1.0f));
    p = multiply_add(f, p, all_lanes(1.0f));
#if defined(__AVX512F__)
    const __mmask16 not_below = _mm512_cmp_ps_mask(__m512(x), __m512(least), _CMP_NLT_UQ);
    return float_vector(_mm512_maskz_scalef_ps(not_below, __m512(p), n512));
#else
    const int_vector scale = (int_vector(shifted) - (0x4b400000 - 127)) << 23;
    return x < least ? float_vector{} : p * float_vector(scale);
#endif
}

// Of numbers and of the NaN that arithmetic gives.
inline void store_operand(uint16_t * to, float_vector x) {
#if defined(__AVX512F__) && defined(__AVX512BF16__)
    const __m256bh rounded = _mm512_cvtneps_pbh(__m512(x));
#else
    const unsigned_vector bits = unsigned_vector(x);
    const short_vector rounded = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, short_vector);
#endif
    std::memcpy(to, &rounded, sizeof(rounded));
}
inline void store_operand(float * to, float_vector x) { store_floats(to, x); }

// An operand of a product, in either of its types.
inline void store_operand(float * out, float value) { *out = value; }
inline void store_operand(uint16_t * out, float value) { *out = round_to_bf16(value); }

// All numbers of a vector, added in pairs.
inline float sum_of(float_vector x) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps(__m512(x));
#else
    for (int64_t half = sizeof(x) / sizeof(float) / 2; half > 0; half /= 2) {
        for (int64_t j = 0; j < half; j++) x[j] += x[j + half];
    }
    return x[0];
#endif
}

}
