#pragma once

#include "core/thread-pool.h"
#include "cpu/kernels/gemm.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <tuple>
#include <vector>

namespace llamatune {

// Grow-only scratch memory: no kernel allocates in a step after the first.
class scratch_buffer {
public:
    // Memory for `n` values, aligned to 64 bytes. Growing loses the contents.
    template <typename T>
    T * get(int64_t n) {
        return static_cast<T *>(bytes(size_t(n) * sizeof(T)));
    }

    size_t size() const { return size_; }

private:
    void * bytes(size_t n);
    struct freed {
        void operator()(void * p) const;
    };
    std::unique_ptr<void, freed> memory_;
    size_t size_ = 0;
};

// The right-hand side of a product in the packed layout: `depth` inner rows from `first` of a weight, with all columns.
struct packed_weight {
    const void * data; // of the weight
    bool forward;
    int64_t first, depth, columns;

    int64_t n_values() const { return depth * columns; }
    bool operator<(const packed_weight & other) const {
        return std::tie(data, forward, first, depth, columns) <
               std::tie(other.data, other.forward, other.first, other.depth, other.columns);
    }
};

// The memory that a kernel needs in an executor. In bytes: of each thread, for an activation in the type of operands,
// and for everything else that its threads share. Weights: those that the weight cache would keep.
struct scratch_need {
    int64_t thread = 0, input = 0, shared = 0;
    std::vector<packed_weight> weights;

    // Kernels run one after the other and use the same memory.
    void merge(const scratch_need & other) {
        thread = std::max(thread, other.thread);
        input = std::max(input, other.input);
        shared = std::max(shared, other.shared);
        weights.insert(weights.end(), other.weights.begin(), other.weights.end());
    }
};

class weight_cache;

// The threads that kernels run on, with matrix products and scratch memory for each of them.
class executor {
public:
    static constexpr int n_slots = 6;

    // `operands`: the type of operands in products with frozen weights and in attention; sums are F32 for both types.
    executor(int n_threads, gemm_type operands);
    ~executor();

    void set_n_threads(int n);
    int n_threads() const { return threads_->size(); }
    gemm_type operands() const { return operands_; }
    void set_operands(gemm_type type) { operands_ = type; }

    // Calls work(piece, thread) for every piece in [0, n_pieces) on all threads, including the calling one, and returns
    // when all are done. Threads take pieces one by one: several pieces per thread keep all busy. Not reentrant.
    void run(int64_t n_pieces, const std::function<void(int64_t piece, int thread)> & work) {
        threads_->run(n_pieces, work);
    }

    // The scratch memory that is allocated.
    size_t scratch_bytes() const;

    // Which blocks of 64 tokens of the micro-batch are all padding. Kernels write zeros there instead of computing
    // values that nothing reads. Empty: unknown.
    static constexpr int64_t padding_block = 64;
    void set_padding(const uint8_t * blocks, int64_t n_blocks, int64_t n_tokens) {
        padding_.assign(blocks, blocks + n_blocks);
        n_tokens_ = n_tokens;
    }
    // Whether tokens [first, first + n) are padding; `first` is a multiple of 64. False if `n_tokens` is not the length
    // passed to set_padding().
    bool is_padding(int64_t n_tokens, int64_t first, int64_t n) const {
        if (padding_.empty() || n_tokens != n_tokens_) return false;
        for (int64_t block = first / padding_block; block * padding_block < first + n; block++) {
            if (!padding_[size_t(block)]) return false;
        }
        return true;
    }

    weight_cache & kept_weights() const { return *kept_weights_; }

    gemm & products(int thread) { return workers_[size_t(thread)].products; }
    scratch_buffer & scratch(int thread, int slot) { return workers_[size_t(thread)].buffers[slot]; }
    scratch_buffer & shared_scratch(int slot) { return shared_[slot]; } // for all threads: call it outside of run()

    // Consecutive nodes often multiply the same activation: q, k, v and gate, up. A kernel that converts an activation
    // into input_buffer() calls set_input(); the next one reuses it if holds_input(). A new graph resets it.
    scratch_buffer & input_buffer() {
        input_ = nullptr;
        return input_buffer_;
    }
    bool holds_input(const void * activation, int64_t stride) const {
        return input_ == activation && input_stride_ == stride;
    }
    scratch_buffer & converted_input() { return input_buffer_; }
    void set_input(const void * activation, int64_t stride) {
        input_ = activation;
        input_stride_ = stride;
    }

private:
    struct worker {
        gemm products;
        scratch_buffer buffers[n_slots];
    };
    gemm_type operands_;
    std::vector<uint8_t> padding_;
    int64_t n_tokens_ = 0;
    std::unique_ptr<thread_pool> threads_;
    std::vector<worker> workers_;
    scratch_buffer shared_[n_slots];
    scratch_buffer input_buffer_;
    const void * input_ = nullptr;
    int64_t input_stride_ = 0;
    std::unique_ptr<weight_cache> kept_weights_;
};

}
