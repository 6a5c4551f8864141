#pragma once

#include <ggml.h>

#include <cstddef>
#include <vector>

namespace llamatune {

// Where each tensor of a graph lies in one block of memory. Tensors share memory if no node needs both of them.
struct memory_plan {
    struct place {
        ggml_tensor * tensor;
        size_t offset;
    };
    std::vector<place> places; // of all tensors without memory, except views
    size_t bytes = 0;          // of the block
};

// Plans the memory of a graph whose nodes run in order. ggml's allocator decides node by node, so that tensors which
// live long end up between free gaps that are too small for later ones. This one knows all lifetimes: it places the
// largest tensor first, each one in the tightest gap between tensors that live at the same time ("greedy by size",
// Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020). Results that nothing reads are
// kept until the end. `alignment` is that of each offset, a power of two.
memory_plan plan_memory(ggml_cgraph * graph, size_t alignment);

}
