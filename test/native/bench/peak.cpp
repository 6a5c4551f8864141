#include "bench/peak.h"

#include "harness.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cmath>

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

TEST("bench/peak: matrices for a device grow only as long as it is fast enough for the next size") {
    const std::atomic<bool> stop{false};
    peak_options options;
    options.device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); // far slower than a large GPU
    const peak_speed peak = measure_peak(options, stop);
    CHECK(!peak.shapes.empty() && peak.shapes[0].rows <= 512);
    for (size_t i = 1; i < peak.shapes.size(); i++) {
        const product_speed &before = peak.shapes[i - 1], &next = peak.shapes[i];
        CHECK_EQ(next.rows, 2 * before.rows);
        const double operations = 2 * std::pow(double(next.rows), 3);
        CHECK(4 * operations / (before.median_gflops * 1e9) <= most_peak_seconds); // a warm-up and three repetitions
    }
}

TEST("bench/peak: the stop flag ends the measurement") {
    const std::atomic<bool> stop{true};
    CHECK_ERROR("ABORTED", measure_peak({}, stop));
}
