#include "cpu/kernels/convert.h"

#include "cpu/kernels/vector-math.h"

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#define LLAMATUNE_AVX512
#endif

namespace llamatune {

namespace {

// Loops over fixed counts, which the compiler vectorizes for the CPU that this file is built for. (ggml's conversions
// are built for any CPU.)

inline void store(float * out, float value) { *out = value; }
inline void store(uint16_t * out, float value) { *out = round_to_bf16(value); }

template <typename T>
T read(const char * at) {
    T value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

#ifdef LLAMATUNE_AVX512

inline void store(float * out, __m512 low, __m512 high) {
    _mm512_storeu_ps(out, low);
    _mm512_storeu_ps(out + 16, high);
}

inline __m256i round_to_bf16(__m512 v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i kept = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16));
}

inline void store(uint16_t * out, __m512 low, __m512 high) {
#ifdef __AVX512BF16__
    const __m512bh both = _mm512_cvtne2ps_pbh(high, low); // denormals become zero
    std::memcpy(out, &both, sizeof(both));
#else
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out), round_to_bf16(low));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + 16), round_to_bf16(high));
#endif
}

inline float half_to_float(ggml_fp16_t h) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h))); }
inline __m512 bytes_to_floats(__m128i q) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(q)); }

template <typename Out>
void q8_0_row(const char * in, Out * out, int64_t n) {
    for (int64_t block = 0; block < n / 32; block++, in += 34, out += 32) {
        const __m512 scale = _mm512_set1_ps(half_to_float(read<ggml_fp16_t>(in)));
        const auto part = [&](int at) {
            const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i *>(in + 2 + at));
            return _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q)));
        };
        store(out, part(0), part(16));
    }
}

template <typename Out>
void f32_row(const char * in, Out * out, int64_t n) {
    const float * from = reinterpret_cast<const float *>(in);
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        _mm_prefetch(reinterpret_cast<const char *>(from + i + 256), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char *>(from + i + 272), _MM_HINT_T0);
        store(out + i, _mm512_loadu_ps(from + i), _mm512_loadu_ps(from + i + 16));
    }
    for (; i < n; i++) store(out + i, from[i]);
}

template <typename Out>
void f16_row(const char * in, Out * out, int64_t n) {
    int64_t i = 0;
    for (; i + 32 <= n; i += 32, in += 64) {
        const auto part = [&](int at) {
            return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(in + at)));
        };
        store(out + i, part(0), part(32));
    }
    for (; i < n; i++, in += 2) store(out + i, half_to_float(read<ggml_fp16_t>(in)));
}

// 32 values of 4 or 5 bits: the low nibbles of 16 bytes, then the high ones, each with a bit of `fifth` above it
template <typename Out>
void nibble_block(const char * bytes, uint32_t fifth, float a, float b, Out * out) {
    const __m512 scale = _mm512_set1_ps(a), offset = _mm512_set1_ps(b);
    const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes));
    const auto part = [&](__m128i q, uint32_t bits) {
        const __m512i low = _mm512_cvtepu8_epi32(_mm_and_si128(q, _mm_set1_epi8(15)));
        const __m512i value = _mm512_mask_add_epi32(low, __mmask16(bits), low, _mm512_set1_epi32(16));
        return _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(value), offset);
    };
    store(out, part(both, fifth), part(_mm_srli_epi16(both, 4), fifth >> 16));
}

// 32 values of a super-block: nibbles times the group's scale, less its minimum
template <typename Out>
void q4_k_group(const uint8_t * bytes, bool high, float a, float b, Out * out) {
    const __m512 scale = _mm512_set1_ps(a), minimum = _mm512_set1_ps(b);
    const auto part = [&](int at) {
        __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes + at));
        q = _mm_and_si128(high ? _mm_srli_epi16(q, 4) : q, _mm_set1_epi8(15));
        return _mm512_fmsub_ps(scale, bytes_to_floats(q), minimum);
    };
    store(out, part(0), part(16));
}

// 32 values of a super-block: nibbles with two more bits from `h`, less 32, times one scale for each half
template <typename Out>
void q6_k_group(const uint8_t * nibbles, bool upper, const uint8_t * h, int shift, float first, float second,
                Out * out) {
    const auto part = [&](int at, float scale) {
        __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i *>(nibbles + at));
        low = _mm_and_si128(upper ? _mm_srli_epi16(low, 4) : low, _mm_set1_epi8(15));
        __m128i high =
            _mm_srl_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i *>(h + at)), _mm_cvtsi32_si128(shift));
        high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4);
        const __m512 q = _mm512_sub_ps(bytes_to_floats(_mm_or_si128(low, high)), _mm512_set1_ps(32.0f));
        return _mm512_mul_ps(_mm512_set1_ps(scale), q);
    };
    store(out, part(0, first), part(16, second));
}

#else

inline float half_to_float(ggml_fp16_t h) { return ggml_fp16_to_fp32(h); }

// Blocks of 32: a 16-bit scale and 32 signed bytes.
template <typename Out>
void q8_0_row(const char * in, Out * out, int64_t n) {
    for (int64_t block = 0; block < n / 32; block++, in += 34, out += 32) {
        const float scale = half_to_float(read<ggml_fp16_t>(in));
        int8_t q[32];
        std::memcpy(q, in + 2, sizeof(q));
        for (int i = 0; i < 32; i++) store(out + i, scale * float(q[i]));
    }
}

template <typename Out>
void f32_row(const char * in, Out * out, int64_t n) {
    for (int64_t i = 0; i < n; i++) store(out + i, read<float>(in + i * int64_t(sizeof(float))));
}

template <typename Out>
void nibble_block(const char * bytes, uint32_t fifth, float scale, float offset, Out * out) {
    uint8_t q[16];
    std::memcpy(q, bytes, sizeof(q));
    for (int i = 0; i < 16; i++) {
        store(out + i, scale * float((q[i] & 15) | (((fifth >> i) & 1) << 4)) + offset);
        store(out + 16 + i, scale * float((q[i] >> 4) | (((fifth >> (16 + i)) & 1) << 4)) + offset);
    }
}

template <typename Out>
void q4_k_group(const uint8_t * bytes, bool high, float a, float b, Out * out) {
    for (int i = 0; i < 32; i++) store(out + i, a * float(high ? bytes[i] >> 4 : bytes[i] & 15) - b);
}

template <typename Out>
void q6_k_group(const uint8_t * nibbles, bool upper, const uint8_t * h, int shift, float first, float second,
                Out * out) {
    for (int i = 0; i < 32; i++) {
        const int nibble = upper ? nibbles[i] >> 4 : nibbles[i] & 15;
        store(out + i, (i < 16 ? first : second) * float((nibble | (((h[i] >> shift) & 3) << 4)) - 32));
    }
}

#endif

// Q4_0, Q4_1, Q5_0 and Q5_1, blocks of 32: a 16-bit scale, a 16-bit minimum if `with_minimum` (otherwise values are
// centered), 32 highest bits if values have `n_bits` = 5, and 32 nibbles.
template <typename Out, int n_bits, bool with_minimum>
void nibble_row(const char * in, Out * out, int64_t n) {
    constexpr int bits_at = with_minimum ? 4 : 2, nibbles_at = bits_at + (n_bits == 5 ? 4 : 0);
    for (int64_t block = 0; block < n / 32; block++, in += nibbles_at + 16, out += 32) {
        const float scale = half_to_float(read<ggml_fp16_t>(in));
        const float minimum = with_minimum ? half_to_float(read<ggml_fp16_t>(in + 2)) : -scale * (1 << (n_bits - 1));
        nibble_block(in + nibbles_at, n_bits == 5 ? read<uint32_t>(in + bits_at) : 0, scale, minimum, out);
    }
}

// Super-blocks of 256: two 16-bit factors, 12 bytes that hold eight 6-bit scales and eight 6-bit minima, 128 bytes of
// 4-bit values, in four groups of which the low halves come first.
template <typename Out>
void q4_k_row(const char * in, Out * out, int64_t n) {
    for (int64_t block = 0; block < n / 256; block++, in += 144) {
        const float scale = half_to_float(read<ggml_fp16_t>(in)), minimum = half_to_float(read<ggml_fp16_t>(in + 2));
        const uint8_t *packed = reinterpret_cast<const uint8_t *>(in + 4),
                      *q = reinterpret_cast<const uint8_t *>(in + 16);
        for (int group = 0; group < 8; group++, out += 32) {
            const int low = group & 3;
            const int s = group < 4 ? packed[group] & 63 : (packed[group + 4] & 15) | ((packed[low] >> 6) << 4);
            const int m = group < 4 ? packed[group + 4] & 63 : (packed[group + 4] >> 4) | ((packed[low + 4] >> 6) << 4);
            q4_k_group(q + (group / 2) * 32, group % 2 != 0, scale * float(s), minimum * float(m), out);
        }
    }
}

// Super-blocks of 256: 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales, one 16-bit factor.
template <typename Out>
void q6_k_row(const char * in, Out * out, int64_t n) {
    for (int64_t block = 0; block < n / 256; block++, in += 210) {
        const uint8_t *low = reinterpret_cast<const uint8_t *>(in), *high = low + 128;
        const int8_t * scales = reinterpret_cast<const int8_t *>(in + 192);
        const float factor = half_to_float(read<ggml_fp16_t>(in + 208));
        for (int half = 0; half < 2; half++) {
            for (int quarter = 0; quarter < 4; quarter++, out += 32) {
                const int8_t * s = scales + half * 8 + quarter * 2;
                q6_k_group(low + half * 64 + (quarter & 1) * 32, quarter >= 2, high + half * 32, 2 * quarter,
                           factor * float(s[0]), factor * float(s[1]), out);
            }
        }
    }
}

template <typename Out>
using row_function = void (*)(const char *, Out *, int64_t);

template <typename Out>
row_function<Out> fast_row(ggml_type type) {
    switch (type) {
    case GGML_TYPE_F32: return f32_row<Out>;
#ifdef LLAMATUNE_AVX512
    case GGML_TYPE_F16: return f16_row<Out>;
#endif
    case GGML_TYPE_Q4_0: return nibble_row<Out, 4, false>;
    case GGML_TYPE_Q4_1: return nibble_row<Out, 4, true>;
    case GGML_TYPE_Q5_0: return nibble_row<Out, 5, false>;
    case GGML_TYPE_Q5_1: return nibble_row<Out, 5, true>;
    case GGML_TYPE_Q8_0: return q8_0_row<Out>;
    case GGML_TYPE_Q4_K: return q4_k_row<Out>;
    case GGML_TYPE_Q6_K: return q6_k_row<Out>;
    default: return nullptr;
    }
}

}

void rows_to_f32(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows,
                 float * out) {
    const ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
    const auto fast = fast_row<float>(type);
    for (int64_t row = 0; row < n_rows; row++) {
        const char * from = static_cast<const char *>(source) + size_t(row) * row_bytes;
        if (fast) {
            fast(from, out + row * n_columns, n_columns);
        } else {
            to_float(from, out + row * n_columns, n_columns);
        }
    }
}

void rows_to_bf16(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows,
                  uint16_t * out) {
    const ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
    const auto fast = fast_row<uint16_t>(type);
    // no direct conversion: through F32, a piece of a row at a time, so that it stays in the cache
    const int64_t block = ggml_blck_size(type);
    const int64_t piece = std::max<int64_t>(block, 1024 / block * block);
    const size_t block_bytes = ggml_type_size(type);
    std::vector<float> wide(fast || type == GGML_TYPE_BF16 ? 0 : static_cast<size_t>(piece));
    for (int64_t row = 0; row < n_rows; row++) {
        const char * from = static_cast<const char *>(source) + size_t(row) * row_bytes;
        uint16_t * to = out + row * n_columns;
        if (type == GGML_TYPE_BF16) {
            std::memcpy(to, from, size_t(n_columns) * sizeof(uint16_t));
        } else if (fast) {
            fast(from, to, n_columns);
        } else {
            for (int64_t i = 0; i < n_columns; i += piece) {
                const int64_t n = std::min(piece, n_columns - i);
                to_float(from + size_t(i / block) * block_bytes, wide.data(), n);
                for (int64_t j = 0; j < n; j++) to[i + j] = round_to_bf16(wide[size_t(j)]);
            }
        }
    }
}

}
