#include "cpu/kernels/gemm.h"

#include <dnnl.hpp>
#include <omp.h>

#include <array>
#include <map>
#include <unordered_map>

namespace llamatune {

namespace {

using dims = dnnl::memory::dims;
using data_type = dnnl::memory::data_type;
using format = dnnl::memory::format_tag;
using key = std::array<int64_t, 10>;

constexpr format packed_format = format::BA16a64b2a;

dnnl::matmul::primitive_desc describe(const dnnl::engine & engine, const dnnl::memory::desc & a,
                                      const dnnl::memory::desc & b, const dnnl::memory::desc & c,
                                      const dnnl::primitive_attr & attributes = {}) {
#if DNNL_VERSION_MAJOR >= 3
    return {engine, a, b, c, attributes};
#else
    return {dnnl::matmul::desc(a, b, c), attributes, engine};
#endif
}

}

struct gemm::state {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    struct product {
        dnnl::matmul primitive;
        dnnl::memory a, b, c;
    };
    std::map<key, product> products; // by shapes, strides and type: making one costs more than a small product

    product make(const dnnl::memory::desc & a, const dnnl::memory::desc & b, const dnnl::memory::desc & c,
                 bool accumulate) {
        dnnl::primitive_attr attributes;
        if (accumulate) {
            dnnl::post_ops sum;
            sum.append_sum(1.0f);
            attributes.set_post_ops(sum);
        }
        return {dnnl::matmul(describe(engine, a, b, c, attributes)),
                {a, engine, nullptr},
                {b, engine, nullptr},
                {c, engine, nullptr}};
    }

    void execute(product & p, const void * a, const void * b, float * c) {
        omp_set_num_threads(1); // for the calling thread: the caller distributes the work
        p.a.set_data_handle(const_cast<void *>(a));
        p.b.set_data_handle(const_cast<void *>(b));
        p.c.set_data_handle(c);
        p.primitive.execute(stream, {{DNNL_ARG_SRC, p.a}, {DNNL_ARG_WEIGHTS, p.b}, {DNNL_ARG_DST, p.c}});
        stream.wait();
    }
};

gemm::gemm() : state_(std::make_unique<state>()) {}
gemm::~gemm() = default;
gemm::gemm(gemm &&) noexcept = default;

void gemm::run(gemm_type type, int64_t m, int64_t n, int64_t k, const gemm_operand & a, const gemm_operand & b,
               float * c, int64_t c_stride, bool accumulate) {
    state & s = *state_;
    const key shape{int64_t(type),      m, n, k, a.row_stride, a.column_stride, b.row_stride, b.column_stride, c_stride,
                    int64_t(accumulate)};
    auto found = s.products.find(shape);
    if (found == s.products.end()) {
        const data_type in = type == gemm_type::bf16 ? data_type::bf16 : data_type::f32;
        found = s.products
                    .emplace(shape, s.make({dims{m, k}, in, dims{a.row_stride, a.column_stride}},
                                           {dims{k, n}, in, dims{b.row_stride, b.column_stride}},
                                           {dims{m, n}, data_type::f32, dims{c_stride, 1}}, accumulate))
                    .first;
    }
    s.execute(found->second, a.data, b.data, c);
}

void gemm::run_packed(int64_t m, int64_t n, int64_t k, const uint16_t * a, const uint16_t * b, float * c) {
    state & s = *state_;
    const key shape{-1, m, n, k};
    auto found = s.products.find(shape);
    if (found == s.products.end()) {
        found = s.products
                    .emplace(shape, s.make({dims{m, k}, data_type::bf16, format::ab},
                                           {dims{k, n}, data_type::bf16, packed_format},
                                           {dims{m, n}, data_type::f32, format::ab}, false))
                    .first;
    }
    s.execute(found->second, a, b, c);
}

std::function<void()> make_onednn_product(gemm_type type, int64_t m, int64_t n, int64_t k, const float * a,
                                          const float * b, int n_threads) {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    omp_set_num_threads(n_threads); // of the calling thread
    const data_type in = type == gemm_type::bf16 ? data_type::bf16 : data_type::f32;
    const dims a_dims{m, k}, b_dims{k, n};
    const auto description =
        describe(engine, {a_dims, in, format::ab}, {b_dims, in, format::any}, {dims{m, n}, data_type::f32, format::ab});
    const auto copied = [&](const dims & size, const float * values, const dnnl::memory::desc & wanted) {
        dnnl::memory plain({size, data_type::f32, format::ab}, engine, const_cast<float *>(values));
        dnnl::memory packed(wanted, engine);
        dnnl::reorder(plain, packed).execute(stream, plain, packed);
        stream.wait();
        return packed;
    };
    const std::unordered_map<int, dnnl::memory> operands = {
        {DNNL_ARG_SRC, copied(a_dims, a, description.src_desc())},
        {DNNL_ARG_WEIGHTS, copied(b_dims, b, description.weights_desc())},
        {DNNL_ARG_DST, dnnl::memory(description.dst_desc(), engine)},
    };
    return [stream, product = dnnl::matmul(description), operands]() mutable {
        product.execute(stream, operands);
        stream.wait();
    };
}

std::string gemm_library() {
    const dnnl_version_t & version = *dnnl_version();
    return "oneDNN " + std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
           std::to_string(version.patch);
}

bool gemm_has_fast_bf16() {
    // each instruction set's bits contain those of the sets that it extends
    constexpr int wanted = int(dnnl::cpu_isa::avx512_core_bf16);
    return (int(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

bool gemm_packs_bf16() {
    static const bool packs = [] {
        if (!gemm_has_fast_bf16()) return false;
        const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
        const dims a{128, 256}, b{256, 128}, c{128, 128};
        const auto description = describe(engine, {a, data_type::bf16, format::ab}, {b, data_type::bf16, format::any},
                                          {c, data_type::f32, format::ab});
        return description.weights_desc() == dnnl::memory::desc(b, data_type::bf16, packed_format);
    }();
    return packs;
}

}
