#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX__)
#include <immintrin.h>
#endif

namespace llamatune {

// Copies floats past the caches, to memory that is not read again soon: writing a result of many megabytes through the
// caches would read it first, and evict data that is still needed.
inline void stream_floats(float * to, const float * from, int64_t n) {
#if defined(__AVX512F__)
    int64_t i = 0;
    for (; i < n && (reinterpret_cast<uintptr_t>(to + i) & 63); i++) to[i] = from[i];
    for (; i + 16 <= n; i += 16) _mm512_stream_ps(to + i, _mm512_loadu_ps(from + i));
    for (; i < n; i++) to[i] = from[i];
#elif defined(__AVX__)
    int64_t i = 0;
    for (; i < n && (reinterpret_cast<uintptr_t>(to + i) & 31); i++) to[i] = from[i];
    for (; i + 8 <= n; i += 8) _mm256_stream_ps(to + i, _mm256_loadu_ps(from + i));
    for (; i < n; i++) to[i] = from[i];
#else
    std::memcpy(to, from, size_t(n) * sizeof(float));
#endif
}

// Call it before another thread reads streamed data.
inline void end_stream() {
#if defined(__AVX512F__) || defined(__AVX__)
    _mm_sfence();
#endif
}

}
