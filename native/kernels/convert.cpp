#include "kernels/convert.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace llamatune {

namespace {

// Plain loops over fixed counts, which the compiler turns into vector code for the CPU that this file is built for
// (ggml's own conversions are built for any CPU).

// Rounds to nearest even; NaN stays NaN.
inline uint16_t to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

inline void store(float * out, float value) { *out = value; }
inline void store(uint16_t * out, float value) { *out = to_bf16(value); }

template <typename T> T read(const char * at) {
    T value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

// Blocks of 32: a 16-bit scale and 32 signed bytes.
template <typename Out> void q8_0_row(const char * in, Out * out, int64_t n) {
    for (int64_t block = 0; block < n / 32; block++, in += 34, out += 32) {
        const float scale = ggml_fp16_to_fp32(read<ggml_fp16_t>(in));
        int8_t q[32];
        std::memcpy(q, in + 2, sizeof(q));
        for (int i = 0; i < 32; i++) store(out + i, scale * float(q[i]));
    }
}

// Super-blocks of 256: two 16-bit factors, 12 bytes that hold eight 6-bit scales and eight 6-bit minima, 128 bytes of
// 4-bit values, in four groups of which the low halves come first.
template <typename Out> void q4_k_row(const char * in, Out * out, int64_t n) {
    for (int64_t block = 0; block < n / 256; block++, in += 144) {
        const float scale = ggml_fp16_to_fp32(read<ggml_fp16_t>(in)), minimum = ggml_fp16_to_fp32(read<ggml_fp16_t>(in + 2));
        uint8_t packed[12], q[128];
        std::memcpy(packed, in + 4, sizeof(packed));
        std::memcpy(q, in + 16, sizeof(q));
        for (int group = 0; group < 8; group++, out += 32) {
            const int low = group & 3;
            const int s = group < 4 ? packed[group] & 63 : (packed[group + 4] & 15) | ((packed[low] >> 6) << 4);
            const int m = group < 4 ? packed[group + 4] & 63 : (packed[group + 4] >> 4) | ((packed[low + 4] >> 6) << 4);
            const float a = scale * float(s), b = minimum * float(m);
            const uint8_t * bytes = q + (group / 2) * 32;
            if (group % 2 == 0) {
                for (int i = 0; i < 32; i++) store(out + i, a * float(bytes[i] & 15) - b);
            } else {
                for (int i = 0; i < 32; i++) store(out + i, a * float(bytes[i] >> 4) - b);
            }
        }
    }
}

// Super-blocks of 256: 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales, one 16-bit factor.
template <typename Out> void q6_k_row(const char * in, Out * out, int64_t n) {
    for (int64_t block = 0; block < n / 256; block++, in += 210) {
        uint8_t low[128], high[64];
        int8_t scales[16];
        std::memcpy(low, in, sizeof(low));
        std::memcpy(high, in + 128, sizeof(high));
        std::memcpy(scales, in + 192, sizeof(scales));
        const float factor = ggml_fp16_to_fp32(read<ggml_fp16_t>(in + 208));
        for (int half = 0; half < 2; half++) {
            const uint8_t * l = low + half * 64, * h = high + half * 32;
            for (int quarter = 0; quarter < 4; quarter++, out += 32) {
                const uint8_t * nibbles = l + (quarter & 1) * 32;
                for (int part = 0; part < 2; part++) {
                    const float scale = factor * float(scales[half * 8 + quarter * 2 + part]);
                    for (int i = part * 16; i < part * 16 + 16; i++) {
                        const int nibble = quarter < 2 ? nibbles[i] & 15 : nibbles[i] >> 4;
                        store(out + i, scale * float((nibble | (((h[i] >> (2 * quarter)) & 3) << 4)) - 32));
                    }
                }
            }
        }
    }
}

template <typename Out> void f32_row(const char * in, Out * out, int64_t n) {
    for (int64_t i = 0; i < n; i++) store(out + i, read<float>(in + i * int64_t(sizeof(float))));
}

template <typename Out> using row_function = void (*)(const char *, Out *, int64_t);

template <typename Out> row_function<Out> fast_row(ggml_type type) {
    switch (type) {
        case GGML_TYPE_F32:  return f32_row<Out>;
        case GGML_TYPE_Q8_0: return q8_0_row<Out>;
        case GGML_TYPE_Q4_K: return q4_k_row<Out>;
        case GGML_TYPE_Q6_K: return q6_k_row<Out>;
        default:             return nullptr;
    }
}

}

void rows_to_f32(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows, float * out) {
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

void rows_to_bf16(ggml_type type, const void * source, size_t row_bytes, int64_t n_columns, int64_t n_rows, uint16_t * out) {
    const ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
    const auto fast = fast_row<uint16_t>(type);
    // where there is no direct way: a piece of a row at a time, so that the F32 in between stays in the cache
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
                for (int64_t j = 0; j < n; j++) to[i + j] = to_bf16(wide[size_t(j)]);
            }
        }
    }
}

}
