#include "cpu/kernels/executor.h"

#include "core/large-pages.h"
#include "cpu/kernels/weight-cache.h"

#include <new>

namespace llamatune {

namespace {

constexpr std::align_val_t line{64};

}

void scratch_buffer::freed::operator()(void * p) const { ::operator delete(p, line); }

void * scratch_buffer::bytes(size_t n) {
    if (n > size_) {
        memory_.reset();
        size_ = 0;
        memory_.reset(::operator new(n, line));
        size_ = n;
        use_large_pages(memory_.get(), size_);
    }
    return memory_.get();
}

executor::executor(int n_threads, gemm_type operands)
    : operands_(operands), kept_weights_(std::make_unique<weight_cache>()) {
    set_n_threads(n_threads);
}

executor::~executor() = default;

void executor::set_n_threads(int n) {
    if (threads_ && threads_->size() == n) return;
    threads_ = std::make_unique<thread_pool>(n);
    workers_.resize(size_t(n));
}

size_t executor::scratch_bytes() const {
    size_t total = input_buffer_.size();
    for (const scratch_buffer & buffer : shared_) total += buffer.size();
    for (const worker & w : workers_) {
        for (const scratch_buffer & buffer : w.buffers) total += buffer.size();
    }
    return total;
}

}
