#pragma once

#include "cpu/kernels/executor.h"

#include <cstddef>
#include <cstdint>
#include <map>

namespace llamatune {

// Frozen weights in the packed layout (see gemm.h), so that they are not dequantized again for each product.
class weight_cache {
public:
    struct panels {
        scratch_buffer memory;
        bool filled = false; // by the caller, once it has written the weight
    };

    // Frees everything; later products keep their weights only if it is turned on.
    void set_enabled(bool on) {
        kept_.clear();
        enabled_ = on;
    }
    bool enabled() const { return enabled_; }

    panels & find(const packed_weight & weight) { return kept_[weight]; }

    // The memory that is allocated.
    size_t bytes() const;

private:
    std::map<packed_weight, panels> kept_;
    bool enabled_ = false;
};

}
