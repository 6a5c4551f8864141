#pragma once

#include "core/ggml-ptr.h"

#include <cstddef>
#include <vector>

namespace llamatune {

// Holds tensors without data in ggml contexts. A ggml context has a fixed size; when one is full, another is added. So
// the size of a graph need not be known before the graph is built.
class tensor_arena {
public:
    // Converts to a context with space for at least `guaranteed` more tensors. Pass the arena itself to ggml's
    // functions: a pointer that is kept does not move on to the next context.
    operator ggml_context *();

    static constexpr size_t guaranteed = 1024;

private:
    std::vector<ggml_context_ptr> contexts_;
};

}
