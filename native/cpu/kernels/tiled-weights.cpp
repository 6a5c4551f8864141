#include "cpu/kernels/tiled-weights.h"

#include "cpu/kernels/gemm.h"

#include <ggml-backend.h>

#include <cstring>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#define LLAMATUNE_AVX512
#endif

namespace llamatune {

namespace {

constexpr int64_t tile_rows = 16;

// A tile has its values first, then the scales of its 16 rows, then their minima (if the type has them).
struct tile_shape {
    int64_t columns, bytes;
};

constexpr tile_shape shape_of(ggml_type type) {
    switch (type) {
    case GGML_TYPE_Q4_0: return {32, 16 * 18};
    case GGML_TYPE_Q4_1: return {32, 16 * 20};
    case GGML_TYPE_Q8_0: return {32, 16 * 34 + 64};    // with sums of the values
    case GGML_TYPE_Q4_K: return {256, 16 * (144 + 4)}; // scales and minima take a byte each
    case GGML_TYPE_Q5_K: return {256, 16 * (176 + 4)};
    case GGML_TYPE_Q6_K: return {256, 16 * 210};
    case GGML_TYPE_IQ4_XS: return {256, 16 * (136 + 2)};
    default: return {0, 0};
    }
}

#ifdef LLAMATUNE_AVX512

const __m512i * vectors(const char * at) { return reinterpret_cast<const __m512i *>(at); }
__m512i load(const char * at, int64_t i = 0) { return _mm512_loadu_si512(vectors(at) + i); }
__m512i nibbles(__m512i bytes, bool high) {
    return _mm512_and_si512(high ? _mm512_srli_epi16(bytes, 4) : bytes, _mm512_set1_epi8(15));
}
__m512 halves(const char * at) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(at))); }
__m512 unsigned_bytes(const char * at) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(at))));
}
__m512 signed_bytes(const char * at) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(at))));
}

// Two adjacent values of each of 16 rows.
__m512i pairs(__m512 even, __m512 odd) {
#ifdef __AVX512BF16__
    const __m512bh both = _mm512_cvtne2ps_pbh(odd, even);
    __m512i words;
    std::memcpy(&words, &both, sizeof(words));
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, words);
#else
    const auto rounded = [](__m512 v) {
        const __m512i bits = _mm512_castps_si512(v);
        const __m512i up = _mm512_add_epi32(_mm512_set1_epi32(0x7fff),
                                            _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1)));
        const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        return _mm512_mask_or_epi32(_mm512_add_epi32(bits, up), nan, bits, _mm512_set1_epi32(0x400000));
    };
    return _mm512_or_si512(_mm512_srli_epi32(rounded(even), 16),
                           _mm512_and_si512(rounded(odd), _mm512_set1_epi32(int(0xffff0000))));
#endif
}

// Four adjacent values (signed bytes) of each of 16 rows, times the scales of the rows, minus their minima, as two rows
// of pairs in the packed layout.
void write(__m512i four, __m512 scales, __m512 minima, uint16_t * out) {
    const auto value = [&](__m512i at_the_top) {
        return _mm512_fmsub_ps(_mm512_cvtepi32_ps(_mm512_srai_epi32(at_the_top, 24)), scales, minima);
    };
    _mm512_storeu_si512(out, pairs(value(_mm512_slli_epi32(four, 24)), value(_mm512_slli_epi32(four, 16))));
    _mm512_storeu_si512(out + 2 * packed_columns, pairs(value(_mm512_slli_epi32(four, 8)), value(four)));
}

// The functions below write one tile: 16 columns of the packed layout, from `out` on. Its rows 4i to 4i + 3 start here:
uint16_t * rows_from(uint16_t * out, int64_t i) { return out + i * 4 * packed_columns; }

void unpack_q8_0(const char * tile, uint16_t * out) {
    const __m512 scales = halves(tile + 512);
    for (int64_t i = 0; i < 8; i++) write(load(tile, i), scales, _mm512_setzero_ps(), rows_from(out, i));
}

void unpack_q4_0(const char * tile, uint16_t * out) {
    const __m512 scales = halves(tile + 256);
    for (int64_t i = 0; i < 8; i++) {
        write(_mm512_sub_epi8(nibbles(load(tile, i / 2), i % 2), _mm512_set1_epi8(8)), scales, _mm512_setzero_ps(),
              rows_from(out, i));
    }
}

void unpack_q4_1(const char * tile, uint16_t * out) {
    const __m512 scales = halves(tile + 256), minima = _mm512_sub_ps(_mm512_setzero_ps(), halves(tile + 288));
    for (int64_t i = 0; i < 8; i++) write(nibbles(load(tile, i / 2), i % 2), scales, minima, rows_from(out, i));
}

// Eight groups of 32 columns, each with a scale and a minimum; the minima of two groups are interleaved.
template <bool fifth_bit>
void unpack_q4_k(const char * tile, uint16_t * out) {
    const char *high = tile + 2048, *scales = tile + (fifth_bit ? 2560 : 2048), *minima = scales + 128;
    const __m512 factor = halves(scales + 256), minimum_factor = halves(scales + 288);
    for (int64_t group = 0; group < 8; group++) {
        const __m512 scale = _mm512_mul_ps(factor, unsigned_bytes(scales + group * 16));
        const __m512i both =
            _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(minima + group / 2 * 32)));
        const __m512i of_group =
            _mm512_and_si512(group % 2 ? _mm512_srli_epi32(both, 8) : both, _mm512_set1_epi32(255));
        const __m512 minimum = _mm512_mul_ps(minimum_factor, _mm512_cvtepi32_ps(of_group));
        for (int64_t i = 0; i < 8; i++) {
            __m512i four = nibbles(load(tile + group * 256, i / 2), i % 2);
            if (fifth_bit) {
                const __mmask64 set = _mm512_test_epi8_mask(load(high, group), _mm512_set1_epi8(char(1 << i)));
                four = _mm512_or_si512(four, _mm512_maskz_set1_epi8(set, 16));
            }
            write(four, scale, minimum, rows_from(out, group * 8 + i));
        }
    }
}

// Sixteen groups of 16 columns, each with a scale; one vector has two more bits for each of four vectors.
void unpack_q6_k(const char * tile, uint16_t * out) {
    const char *high = tile + 2048, *scales = tile + 3072;
    const __m512 factor = halves(scales + 256);
    for (int64_t group = 0; group < 16; group++) {
        const __m512 scale = _mm512_mul_ps(factor, signed_bytes(scales + group * 16));
        const __m512i more = load(high, group);
        for (int64_t i = 0; i < 4; i++) {
            const __m512i two =
                _mm512_and_si512(_mm512_srl_epi16(more, _mm_cvtsi32_si128(int(2 * i))), _mm512_set1_epi8(3));
            const __m512i four =
                _mm512_or_si512(nibbles(load(tile + group * 128, i / 2), i % 2), _mm512_slli_epi16(two, 4));
            write(_mm512_sub_epi8(four, _mm512_set1_epi8(32)), scale, _mm512_setzero_ps(),
                  rows_from(out, group * 4 + i));
        }
    }
}

void unpack_iq4_xs(const char * tile, uint16_t * out) {
    const __m512i values =
        _mm512_broadcast_i32x4(_mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113));
    const char * scales = tile + 2048;
    const __m512 factor = halves(scales + 128);
    for (int64_t group = 0; group < 8; group++) {
        const __m512 scale = _mm512_mul_ps(factor, signed_bytes(scales + group * 16));
        for (int64_t i = 0; i < 8; i++) {
            const __m512i four = _mm512_shuffle_epi8(values, nibbles(load(tile + group * 256, i / 2), i % 2));
            write(four, scale, _mm512_setzero_ps(), rows_from(out, group * 8 + i));
        }
    }
}

void unpack(ggml_type type, const char * tile, uint16_t * out) {
    switch (type) {
    case GGML_TYPE_Q4_0: return unpack_q4_0(tile, out);
    case GGML_TYPE_Q4_1: return unpack_q4_1(tile, out);
    case GGML_TYPE_Q8_0: return unpack_q8_0(tile, out);
    case GGML_TYPE_Q4_K: return unpack_q4_k<false>(tile, out);
    case GGML_TYPE_Q5_K: return unpack_q4_k<true>(tile, out);
    case GGML_TYPE_Q6_K: return unpack_q6_k(tile, out);
    case GGML_TYPE_IQ4_XS: return unpack_iq4_xs(tile, out);
    default: return;
    }
}

#else

void unpack(ggml_type, const char *, uint16_t *) {}

#endif

}

bool reads_tiles() {
#ifdef LLAMATUNE_AVX512
    return true;
#else
    return false;
#endif
}

bool in_tiles_buffer(const ggml_tensor * w) {
    return w->buffer && !std::strcmp(ggml_backend_buffer_name(w->buffer), "AMX");
}

bool is_tiled(const ggml_tensor * w) { return shape_of(w->type).columns > 0 && in_tiles_buffer(w); }

void pack_tiles(const ggml_tensor * w, int64_t row, int64_t column, int64_t count, uint16_t * out) {
    const tile_shape tile = shape_of(w->type);
    const int64_t per_row = w->ne[0] / tile.columns; // tiles
    for (int64_t r = 0; r < packed_columns; r += tile_rows) {
        const char * from =
            static_cast<const char *>(w->data) + ((row + r) / tile_rows * per_row + column / tile.columns) * tile.bytes;
        for (int64_t k = 0; k < count; k += tile.columns, from += tile.bytes)
            unpack(w->type, from, out + k * packed_columns + r * 2);
    }
}

}
