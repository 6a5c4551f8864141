// The accelerator of a build without oneDNN.
#include "cpu/accelerator.h"

namespace llamatune {

std::string accelerator_library() { return {}; }

bool accelerator_has_fast_bf16() { return false; }

void register_accelerator() {}

ggml_backend_dev_t accelerator_device() { return nullptr; }

fused_graph fuse(const std::vector<ggml_tensor *> & nodes, const ggml_tensor *, gradients &) {
    return {nodes, nullptr};
}

const char * op_name(const ggml_tensor * node) { return ggml_op_desc(node); }

std::function<void()> make_bare_product(int64_t, int64_t, int64_t, const float *, const float *, bool, int) {
    return {};
}

fused_cross_entropy fuse_cross_entropy(ggml_context *, ggml_tensor *, ggml_tensor *, ggml_tensor *,
                                       const host_cross_entropy_outputs &, float, bool) {
    return {};
}

}
