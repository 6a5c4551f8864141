#pragma once

#include "train/options.h"

#include <ggml-backend.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

// One shape of matrix product: `tokens` rows of activations times a weight [columns, rows].
struct product_speed {
    int64_t tokens, columns, rows;
    int32_t repetitions;
    double best_gflops, median_gflops; // 2 · tokens · columns · rows operations each
};

template <class V>
void fields(V & v, product_speed & s) {
    v("tokens", s.tokens);
    v("columns", s.columns);
    v("rows", s.rows);
    v("repetitions", s.repetitions);
    v("bestGflops", s.best_gflops);
    v("medianGflops", s.median_gflops);
}

enum class peak_library { fastest, ggml };

inline constexpr enum_name<peak_library> peak_library_names[] = {{peak_library::fastest, "fastest"},
                                                                 {peak_library::ggml, "ggml"}};
constexpr auto & names_of(peak_library) { return peak_library_names; }

struct peak_options {
    train_precision precision = train_precision::f32;
    int32_t n_threads = 0;                        // 0: all physical cores
    peak_library library = peak_library::fastest; // fastest: oneDNN if the build has it; ggml: its MUL_MAT on the CPU
    ggml_backend_dev_t device = nullptr;          // a GPU, measured with ggml and square matrices; null: the CPU
};

// On a GPU, matrices grow as long as the next size is expected to take at most this long.
inline constexpr double most_peak_seconds = 2;

template <class V>
void fields(V & v, peak_options & o) {
    v("precision", o.precision);
    v("threads", o.n_threads);
    v("library", o.library);
}

struct peak_speed {
    std::string library;       // "oneDNN 2.6.3" or "ggml"
    train_precision precision; // of the operands; f32 if bf16 was requested and the CPU has no fast bf16 products
    int32_t n_threads;
    double best_gflops, median_gflops; // of the shape with the highest median
    std::vector<product_speed> shapes;
};

template <class V>
void fields(V & v, peak_speed & s) {
    v("library", s.library);
    v("precision", s.precision);
    v("threads", s.n_threads);
    v("bestGflops", s.best_gflops);
    v("medianGflops", s.median_gflops);
    v("shapes", s.shapes);
}

// Measures how fast this machine or one of its GPUs multiplies matrices of the sizes that training has. Operands are in
// the layout that the library prefers; nothing is converted or dequantized. Training reaches a fraction of this speed.
// Takes a few seconds. Throws error: ABORTED if `stop` is set, DEVICE_FAILED, OUT_OF_MEMORY.
peak_speed measure_peak(const peak_options & options, const std::atomic<bool> & stop);

}
