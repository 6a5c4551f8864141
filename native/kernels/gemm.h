#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace llamatune {

enum class gemm_type { f32, bf16 };

// A matrix by its rows' and columns' distances in elements; one of them must be 1.
struct gemm_operand {
    const void * data;
    int64_t      row_stride;
    int64_t      column_stride;
};

// C[m, n] = A[m, k] · B[k, n] (+ C when `accumulate`), row-major, C in F32 with `c_stride` elements between rows; sums in
// F32 whatever the type. Runs on the calling thread alone; one object per thread.
class gemm {
public:
    gemm();
    ~gemm();
    gemm(gemm &&) noexcept;

    void run(gemm_type type, int64_t m, int64_t n, int64_t k, const gemm_operand & a, const gemm_operand & b, float * c,
             int64_t c_stride, bool accumulate = false);

private:
    struct state;
    std::unique_ptr<state> state_;
};

// Whether bf16 products run on this CPU's matrix or vector units and not in emulation.
bool gemm_has_fast_bf16();

}
