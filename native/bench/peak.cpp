#include "bench/peak.h"

#include "core/cpu.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "core/rng.h"

#include <ggml-backend.h>
#include <ggml.h>

#ifdef LLAMATUNE_ONEDNN
#include <dnnl.hpp>
#include <omp.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <unordered_map>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

struct product_shape {
    int64_t tokens, columns, rows;
};

// Linear layers of models of 0.6 to 2 billion parameters, and a square.
constexpr product_shape shapes[] = {
    {512, 1024, 3072},
    {2048, 1024, 3072},
    {2048, 3072, 1024},
    {2048, 2048, 2048},
};
constexpr int32_t fewest_repetitions = 3, most_repetitions = 50;
constexpr double seconds_for_shape = 0.25;

double seconds_since(clock::time_point start) { return std::chrono::duration<double>(clock::now() - start).count(); }

std::vector<float> random_values(int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    rng(uint64_t(n)).fill_normal(values.data(), values.size(), 1.0f);
    return values;
}

// One warm-up, then as often as there is time for.
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
    const double operations = 2e-9 * double(shape.tokens) * double(shape.columns) * double(shape.rows);
    return {shape.tokens,
            shape.columns,
            shape.rows,
            int32_t(n),
            operations / seconds.front(),
            operations / ((seconds[(n - 1) / 2] + seconds[n / 2]) / 2)};
}

// Makes a shape's operands, and a function that multiplies them.
using product_maker = std::function<std::function<void()>(const product_shape &)>;

#ifdef LLAMATUNE_ONEDNN

bool has_bf16_units() {
    // each instruction set's bits contain those of the sets that it extends
    constexpr int wanted = int(dnnl::cpu_isa::avx512_core_bf16);
    return (int(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

std::function<void()> product_of_onednn(const product_shape & shape, train_precision precision, int32_t n_threads) {
    using dims = dnnl::memory::dims;
    using tag = dnnl::memory::format_tag;
    using type = dnnl::memory::data_type;
    const type in = precision == train_precision::bf16 ? type::bf16 : type::f32;
    const dims a_dims{shape.tokens, shape.columns}, b_dims{shape.columns, shape.rows}, c_dims{shape.tokens, shape.rows};
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    omp_set_num_threads(n_threads); // of the calling thread
    // weights in whatever layout is fastest
    const dnnl::memory::desc a{a_dims, in, tag::ab}, b{b_dims, in, tag::any}, c{c_dims, type::f32, tag::ab};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc description(engine, a, b, c);
#else
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine);
#endif
    const auto filled = [&](const dims & size, const dnnl::memory::desc & wanted) {
        std::vector<float> values = random_values(size[0] * size[1]);
        dnnl::memory plain({size, type::f32, tag::ab}, engine, values.data()), packed(wanted, engine);
        dnnl::reorder(plain, packed).execute(stream, plain, packed);
        stream.wait();
        return packed;
    };
    const std::unordered_map<int, dnnl::memory> operands = {
        {DNNL_ARG_SRC, filled(a_dims, description.src_desc())},
        {DNNL_ARG_WEIGHTS, filled(b_dims, description.weights_desc())},
        {DNNL_ARG_DST, dnnl::memory(description.dst_desc(), engine)},
    };
    return [stream, product = dnnl::matmul(description), operands]() mutable {
        product.execute(stream, operands);
        stream.wait();
    };
}

#endif

ggml_backend_ptr cpu_backend(int32_t n_threads) {
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_ptr backend{device ? ggml_backend_dev_init(device, nullptr) : nullptr};
    if (!backend) throw error("DEVICE_FAILED", "expected the CPU device to start but it did not");
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
    held->buffer.reset(ggml_backend_alloc_ctx_tensors(ctx, backend));
    if (!held->buffer) throw error("OUT_OF_MEMORY", "expected memory for a matrix product but there was none");
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
            throw error("DEVICE_FAILED", "expected the CPU device to multiply but it did not");
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
        if (!backend) backend = cpu_backend(peak.n_threads);
        return product_of_ggml(shape, peak.precision, backend.get());
    };
#ifdef LLAMATUNE_ONEDNN
    if (options.library == peak_library::fastest) {
        const dnnl_version_t * version = dnnl_version();
        peak.library = "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                       std::to_string(version->patch);
        if (!has_bf16_units()) peak.precision = train_precision::f32;
        make = [&](const product_shape & shape) { return product_of_onednn(shape, peak.precision, peak.n_threads); };
    }
#endif
    for (const product_shape & shape : shapes) {
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
