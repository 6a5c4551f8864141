#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace llamatune {

// For loops that the compiler turns into vector code: functions of one number without branches, and sums in lanes.

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
    return x < -87.0f ? 0.0f : p * scale; // no denormal numbers: they slow down what multiplies them
}

inline float vector_sigmoid(float x) { return 1.0f / (1.0f + vector_exp(-x)); }

// Rounds to nearest even; NaN stays NaN.
inline uint16_t round_to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

// Where a loop must not be left to the compiler's judgement: 16 numbers at once, in as many registers as they need.
typedef float    floats __attribute__((vector_size(64)));
typedef int32_t  ints __attribute__((vector_size(64)));
typedef uint32_t unsigned_ints __attribute__((vector_size(64)));
typedef uint16_t shorts __attribute__((vector_size(32)));
static_assert(sizeof(floats) == vector_lanes * sizeof(float), "a vector is of as many numbers as there are lanes");

inline floats all_lanes(float x) { return floats {} + x; }

inline floats load_floats(const float * from) {
    floats x;
    std::memcpy(&x, from, sizeof(x));
    return x;
}

inline void store_floats(float * to, floats x) { std::memcpy(to, &x, sizeof(x)); }

inline floats highest_of(floats a, floats b) { return a > b ? a : b; }

inline float highest_lane(floats x) {
    float highest = x[0];
    for (int j = 1; j < vector_lanes; j++) highest = x[j] > highest ? x[j] : highest;
    return highest;
}

inline float sum_of_lanes(floats x) {
    float lanes[vector_lanes];
    store_floats(lanes, x);
    return sum_of_lanes(lanes);
}

inline floats multiply_add(floats a, floats b, floats c) {
#if defined(__AVX512F__)
    return floats(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
#else
    floats r;
    for (int j = 0; j < vector_lanes; j++) r[j] = multiply_add(a[j], b[j], c[j]);
    return r;
#endif
}

// vector_exp() of each.
inline floats exp_of(floats x) {
    const floats least = all_lanes(-87.0f), most = all_lanes(87.0f);
    const floats lower = x < least ? least : x;
    const floats bounded = lower > most ? most : lower;
    const floats round = all_lanes(12582912.0f);
    const floats shifted = multiply_add(bounded, all_lanes(1.44269504f), round);
    const floats n = shifted - round;
    const floats f = multiply_add(n, all_lanes(-1.42860677e-6f), multiply_add(n, all_lanes(-0.693145752f), bounded));
    floats p = multiply_add(f, all_lanes(1.0f / 5040), all_lanes(1.0f / 720));
    p = multiply_add(f, p, all_lanes(1.0f / 120));
    p = multiply_add(f, p, all_lanes(1.0f / 24));
    p = multiply_add(f, p, all_lanes(1.0f / 6));
    p = multiply_add(f, p, all_lanes(0.5f));
    p = multiply_add(f, p, all_lanes(1.0f));
    p = multiply_add(f, p, all_lanes(1.0f));
    const ints scale = (ints(shifted) - (0x4b400000 - 127)) << 23;
    return x < least ? floats {} : p * floats(scale);
}

// Of numbers and of the NaN that arithmetic gives.
inline void store_operand(uint16_t * to, floats x) {
    const unsigned_ints bits = unsigned_ints(x);
    const shorts rounded = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, shorts);
    std::memcpy(to, &rounded, sizeof(rounded));
}
inline void store_operand(float * to, floats x) { store_floats(to, x); }

// An operand of a product, in either of its types.
inline void store_operand(float * out, float value) { *out = value; }
inline void store_operand(uint16_t * out, float value) { *out = round_to_bf16(value); }

}
