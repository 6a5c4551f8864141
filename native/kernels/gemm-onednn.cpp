#include "kernels/gemm.h"

#include <dnnl.hpp>
#include <omp.h>

#include <array>
#include <map>

namespace llamatune {

using key = std::array<int64_t, 10>;

struct gemm::state {
    dnnl::engine engine { dnnl::engine::kind::cpu, 0 };
    dnnl::stream stream { engine };
    struct product { dnnl::matmul::primitive_desc description; dnnl::matmul primitive; dnnl::memory a, b, c; };
    std::map<key, product> products; // by shapes, strides and type: making one costs more than a small product
};

gemm::gemm() : state_(std::make_unique<state>()) {}
gemm::~gemm() = default;
gemm::gemm(gemm &&) noexcept = default;

void gemm::run(gemm_type type, int64_t m, int64_t n, int64_t k, const gemm_operand & a, const gemm_operand & b, float * c,
               int64_t c_stride, bool accumulate) {
    using dims = dnnl::memory::dims;
    using data_type = dnnl::memory::data_type;
    state & s = *state_;
    omp_set_num_threads(1); // of the calling thread: whoever calls shares the work out
    const key shape { int64_t(type), m, n, k, a.row_stride, a.column_stride, b.row_stride, b.column_stride, c_stride, int64_t(accumulate) };
    auto found = s.products.find(shape);
    if (found == s.products.end()) {
        const data_type in = type == gemm_type::bf16 ? data_type::bf16 : data_type::f32;
        const dnnl::memory::desc a_desc(dims { m, k }, in, dims { a.row_stride, a.column_stride });
        const dnnl::memory::desc b_desc(dims { k, n }, in, dims { b.row_stride, b.column_stride });
        const dnnl::memory::desc c_desc(dims { m, n }, data_type::f32, dims { c_stride, 1 });
        dnnl::primitive_attr attributes;
        if (accumulate) {
            dnnl::post_ops sum;
            sum.append_sum(1.0f);
            attributes.set_post_ops(sum);
        }
        const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a_desc, b_desc, c_desc), attributes, s.engine);
        found = s.products.emplace(shape, state::product { description, dnnl::matmul(description),
            dnnl::memory(a_desc, s.engine, nullptr), dnnl::memory(b_desc, s.engine, nullptr), dnnl::memory(c_desc, s.engine, nullptr) }).first;
    }
    state::product & p = found->second;
    p.a.set_data_handle(const_cast<void *>(a.data));
    p.b.set_data_handle(const_cast<void *>(b.data));
    p.c.set_data_handle(c);
    p.primitive.execute(s.stream, { { DNNL_ARG_SRC, p.a }, { DNNL_ARG_WEIGHTS, p.b }, { DNNL_ARG_DST, p.c } });
    s.stream.wait();
}

bool gemm_has_fast_bf16() {
    const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
    return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

}
