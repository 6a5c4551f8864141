#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace llamatune {

enum class gemm_type { f32, bf16 };

constexpr size_t size_of(gemm_type type) { return type == gemm_type::bf16 ? 2 : 4; }

// A matrix with the distance between rows and between columns in elements; one of the two must be 1.
struct gemm_operand {
    const void * data;
    int64_t row_stride;
    int64_t column_stride;
};

// oneDNN's fastest layout of the right-hand matrix for bf16 on x86 (BA16a64b2a): blocks of 64 columns; in each, blocks
// of 32 rows; in each, 16 pairs of rows; in each, 64 columns of 2 rows. Rows and columns are padded with zeros. B[r, c]
// of a matrix of `rows` rows is at packed_index(rows, r, c).
constexpr int64_t packed_columns = 64, packed_rows = 32;
constexpr int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
constexpr int64_t packed_index(int64_t rows, int64_t r, int64_t c) {
    return c / packed_columns * padded(rows, packed_rows) * packed_columns +
           r / packed_rows * packed_rows * packed_columns + r % packed_rows / 2 * 2 * packed_columns +
           c % packed_columns * 2 + r % 2;
}

// C[m, n] = A[m, k] · B[k, n] (+ C when `accumulate`), row-major, C in F32 with `c_stride` elements between rows; sums
// in F32 for both types. Runs on the calling thread only; each thread needs its own object.
class gemm {
public:
    gemm();
    ~gemm();
    gemm(gemm &&) noexcept;

    void run(gemm_type type, int64_t m, int64_t n, int64_t k, const gemm_operand & a, const gemm_operand & b, float * c,
             int64_t c_stride, bool accumulate = false);

    // The same with A dense in bf16, B in the packed layout and C dense, which oneDNN's fastest kernels need.
    void run_packed(int64_t m, int64_t n, int64_t k, const uint16_t * a, const uint16_t * b, float * c);

private:
    struct state;
    std::unique_ptr<state> state_;
};

// A function that multiplies `a` [m, k] by `b` [k, n] (row-major) on `n_threads` threads of oneDNN, with copies of both
// in its fastest layout: for measuring the machine.
std::function<void()> make_onednn_product(gemm_type type, int64_t m, int64_t n, int64_t k, const float * a,
                                          const float * b, int n_threads);

std::string gemm_library(); // "oneDNN 3.2.0"
// Whether bf16 products run on this CPU's matrix or vector units and not in emulation.
bool gemm_has_fast_bf16();
// Whether they are fastest with B in the packed layout.
bool gemm_packs_bf16();

}
