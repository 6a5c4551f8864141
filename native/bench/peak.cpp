#include "bench/peak.h"

#include "core/cpu.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "core/matmul-type.h"
#include "core/rng.h"
#include "cpu/accelerator.h"

#include <ggml-backend.h>
#include <ggml.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

struct product_shape {
    int64_t tokens, columns, rows;
};

// Linear layers of models with 0.6 to 2 billion parameters, and a square matrix.
const std::vector<product_shape> cpu_shapes = {
    {512, 1024, 3072},
    {2048, 1024, 3072},
    {2048, 3072, 1024},
    {2048, 2048, 2048},
};
// Only the last ones fill a large GPU, and a small one would take minutes for them. Each has eight times the work of
// the one before.
const std::vector<product_shape> gpu_shapes = {
    {512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048}, {4096, 4096, 4096}, {8192, 8192, 8192}};
constexpr int32_t fewest_repetitions = 3, most_repetitions = 50;
constexpr double seconds_for_shape = 0.25;

double seconds_since(clock::time_point start) { return std::chrono::duration<double>(clock::now() - start).count(); }

// Repeats after 2^20 values, so that large matrices are filled fast.
std::vector<float> random_values(int64_t n) {
    constexpr size_t period = 1 << 20;
    std::vector<float> values(static_cast<size_t>(n));
    rng(uint64_t(n)).fill_normal(values.data(), std::min(period, values.size()), 1.0f);
    for (size_t i = period; i < values.size(); i++) values[i] = values[i - period];
    return values;
}

double operations_of(const product_shape & shape) {
    return 2 * double(shape.tokens) * double(shape.columns) * double(shape.rows);
}

// One warm-up, then repetitions until the time is up.
product_speed time_product(const product_shape & shape, const std::function<void()> & multiply,
                           const std::atomic<bool> & stop) {
    std::vector<double> seconds;
    multiply();
    const auto begun = clock::now();
    while (int32_t(seconds.size()) < most_repetitions &&
           (int32_t(seconds.size()) < fewest_repetitions || seconds_since(begun) < seconds_for_shape)) {
        if (stop) throw error("ABORTED", "the run was aborted");
        const auto start = clock::now();
        multiply();
        seconds.push_back(seconds_since(start));
    }
    std::sort(seconds.begin(), seconds.end());
    const size_t n = seconds.size();
    const double operations = 1e-9 * operations_of(shape);
    return {shape.tokens,
            shape.columns,
            shape.rows,
            int32_t(n),
            operations / seconds.front(),
            operations / ((seconds[(n - 1) / 2] + seconds[n / 2]) / 2)};
}

// How long the fewest repetitions of a shape and the warm-up take if the device is as fast as for another shape.
double seconds_expected(const product_shape & shape, const product_speed & other) {
    return (1 + fewest_repetitions) * operations_of(shape) / (other.median_gflops * 1e9);
}

// Makes the operands of a shape and a function that multiplies them.
using product_maker = std::function<std::function<void()>(const product_shape &)>;

std::function<void()> product_of_accelerator(const product_shape & shape, train_precision precision,
                                             int32_t n_threads) {
    const std::vector<float> x = random_values(shape.tokens * shape.columns);
    const std::vector<float> w = random_values(shape.columns * shape.rows);
    return make_bare_product(shape.tokens, shape.columns, shape.rows, x.data(), w.data(),
                             precision == train_precision::bf16, n_threads);
}

ggml_backend_ptr start_device(ggml_backend_dev_t device, int32_t n_threads) {
    if (!device) device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_ptr backend{device ? ggml_backend_dev_init(device, nullptr) : nullptr};
    if (!backend) throw error("DEVICE_FAILED", "the device could not be started for a matrix product");
    void * set = ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_set_n_threads");
    if (set) reinterpret_cast<ggml_backend_set_n_threads_t>(set)(backend.get(), n_threads);
    return backend;
}

std::function<void()> product_of_ggml(const product_shape & shape, train_precision precision, ggml_backend_t backend) {
    struct operands {
        ggml_context_ptr ctx;
        ggml_backend_buffer_ptr buffer;
        ggml_cgraph * graph;
    };
    const auto held = std::make_shared<operands>();
    held->ctx.reset(ggml_init({8 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true}));
    ggml_context * ctx = held->ctx.get();
    ggml_tensor * weight = ggml_new_tensor_2d(ctx, precision == train_precision::bf16 ? GGML_TYPE_BF16 : GGML_TYPE_F32,
                                              shape.columns, shape.rows);
    ggml_tensor * x = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, shape.columns, shape.tokens);
    held->graph = ggml_new_graph(ctx);
    ggml_build_forward_expand(held->graph, ggml_mul_mat(ctx, weight, x));
    if (multiplies_in(ggml_backend_get_device(backend), weight->type)) set_matmul_type(held->graph, weight->type);
    held->buffer.reset(ggml_backend_alloc_ctx_tensors(ctx, backend));
    if (!held->buffer) throw error("OUT_OF_MEMORY", "out of memory allocating a matrix product");
    for (ggml_tensor * t : {weight, x}) {
        const std::vector<float> values = random_values(ggml_nelements(t));
        std::vector<char> stored(ggml_nbytes(t));
        if (t->type == GGML_TYPE_F32)
            std::memcpy(stored.data(), values.data(), stored.size());
        else
            ggml_quantize_chunk(t->type, values.data(), stored.data(), 0, t->ne[1], t->ne[0], nullptr);
        ggml_backend_tensor_set(t, stored.data(), 0, stored.size());
    }
    return [held, backend] {
        if (ggml_backend_graph_compute(backend, held->graph) != GGML_STATUS_SUCCESS) {
            throw error("DEVICE_FAILED", "the device failed to compute a matrix product");
        }
    };
}

}

peak_speed measure_peak(const peak_options & options, const std::atomic<bool> & stop) {
    peak_speed peak{};
    peak.library = "ggml";
    peak.precision = options.precision;
    peak.n_threads = options.n_threads > 0 ? options.n_threads : usable_physical_cores();
    ggml_backend_ptr backend;
    product_maker make = [&](const product_shape & shape) {
        if (!backend) backend = start_device(options.device, peak.n_threads);
        return product_of_ggml(shape, peak.precision, backend.get());
    };
    const std::string library = accelerator_library();
    if (!options.device && options.library == peak_library::fastest && !library.empty()) {
        peak.library = library;
        if (!accelerator_has_fast_bf16()) peak.precision = train_precision::f32;
        make = [&](const product_shape & shape) {
            return product_of_accelerator(shape, peak.precision, peak.n_threads);
        };
    }
    for (const product_shape & shape : options.device ? gpu_shapes : cpu_shapes) {
        if (options.device && !peak.shapes.empty() && seconds_expected(shape, peak.shapes.back()) > most_peak_seconds)
            break;
        peak.shapes.push_back(time_product(shape, make(shape), stop));
        const product_speed & speed = peak.shapes.back();
        if (speed.median_gflops > peak.median_gflops) {
            peak.median_gflops = speed.median_gflops;
            peak.best_gflops = speed.best_gflops;
        }
    }
    return peak;
}

}
