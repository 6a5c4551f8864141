#pragma once

#include <cstdint>
#include <cstring>

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

// An operand of a product, in either of its types.
inline void store_operand(float * out, float value) { *out = value; }
inline void store_operand(uint16_t * out, float value) { *out = round_to_bf16(value); }

}
