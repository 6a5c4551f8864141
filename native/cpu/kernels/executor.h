#pragma once

#include "core/thread-pool.h"
#include "cpu/kernels/gemm.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace llamatune {

// Memory that grows to the most that was asked for and is kept: no kernel allocates in a step after the first.
class room {
public:
    // At least `n` values, aligned to 64 bytes; what was there before is lost when it grows.
    template <typename T>
    T * of(int64_t n) {
        return static_cast<T *>(bytes(size_t(n) * sizeof(T)));
    }

private:
    void * bytes(size_t n);
    struct freed {
        void operator()(void * p) const;
    };
    std::unique_ptr<void, freed> memory_;
    size_t size_ = 0;
};

// What kernels for host memory run on: threads, and for each of them its matrix products and its room.
class executor {
public:
    static constexpr int n_slots = 6;

    // `operands`: of products with frozen weights and of attention; sums are F32 whatever it is.
    executor(int n_threads, gemm_type operands);

    void set_n_threads(int n);
    int n_threads() const { return threads_->size(); }
    gemm_type operands() const { return operands_; }
    void set_operands(gemm_type type) { operands_ = type; }

    // work(piece, thread) for every piece in [0, n_pieces), by all threads, the calling one included; returns when all
    // are done. Pieces are handed out one by one: several for each thread keep them all busy. Not reentrant.
    void run(int64_t n_pieces, const std::function<void(int64_t piece, int thread)> & work) {
        threads_->run(n_pieces, work);
    }

    // Of the run in progress, by blocks of 64 tokens: whether all of them are padding, whose values nobody reads.
    // Kernels put zeros there in place of work. Empty: nothing is known.
    static constexpr int64_t padding_block = 64;
    void set_padding(const uint8_t * blocks, int64_t n_blocks, int64_t n_tokens) {
        padding_.assign(blocks, blocks + n_blocks);
        n_tokens_ = n_tokens;
    }
    // Are tokens [first, first + n) of `n_tokens` padding? `first` is a multiple of 64; for `n_tokens` of another
    // batch, no.
    bool is_padding(int64_t n_tokens, int64_t first, int64_t n) const {
        if (padding_.empty() || n_tokens != n_tokens_) return false;
        for (int64_t block = first / padding_block; block * padding_block < first + n; block++) {
            if (!padding_[size_t(block)]) return false;
        }
        return true;
    }

    gemm & products(int thread) { return workers_[size_t(thread)].products; }
    room & own(int thread, int slot) { return workers_[size_t(thread)].rooms[slot]; }
    room & shared(int slot) { return shared_[slot]; } // for all threads: ask for it outside of run()

    // Neighbours in a graph often multiply the same activation. Whoever converts one into input_room() says so; what
    // was said holds until something else is converted there, or another graph runs.
    room & input_room() {
        input_ = nullptr;
        return input_room_;
    }
    bool holds_input(const void * activation, int64_t stride) const {
        return input_ == activation && input_stride_ == stride;
    }
    room & held_input() { return input_room_; }
    void set_input(const void * activation, int64_t stride) {
        input_ = activation;
        input_stride_ = stride;
    }

private:
    struct worker {
        gemm products;
        room rooms[n_slots];
    };
    gemm_type operands_;
    std::vector<uint8_t> padding_;
    int64_t n_tokens_ = 0;
    std::unique_ptr<thread_pool> threads_;
    std::vector<worker> workers_;
    room shared_[n_slots];
    room input_room_;
    const void * input_ = nullptr;
    int64_t input_stride_ = 0;
};

}
