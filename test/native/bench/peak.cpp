#include "bench/peak.h"

#include "harness.h"

#include <algorithm>

using namespace llamatune;

TEST("bench/peak: every shape is measured, and the fastest is the peak") {
    const std::atomic<bool> stop{false};
    const peak_options measured[] = {
        {train_precision::f32, 1, peak_library::fastest},
        {train_precision::bf16, 1, peak_library::fastest},
        {train_precision::bf16, 1, peak_library::ggml},
    };
    for (const peak_options & options : measured) {
        const peak_speed peak = measure_peak(options, stop);
        CHECK_EQ(peak.n_threads, 1);
        CHECK(options.library == peak_library::fastest || peak.library == "ggml");
        CHECK(options.precision == train_precision::bf16 || peak.precision == train_precision::f32);
        double highest = 0;
        for (const product_speed & shape : peak.shapes) {
            CHECK(shape.repetitions >= 3);
            // a loose range that any CPU reaches
            CHECK(shape.median_gflops > 0.01 && shape.median_gflops < 1e6);
            CHECK(shape.best_gflops >= shape.median_gflops);
            highest = std::max(highest, shape.median_gflops);
        }
        CHECK(peak.shapes.size() > 2);
        CHECK_EQ(peak.median_gflops, highest);
    }
}

TEST("bench/peak: the stop flag ends the measurement") {
    const std::atomic<bool> stop{true};
    CHECK_ERROR("ABORTED", measure_peak({}, stop));
}
