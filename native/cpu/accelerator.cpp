#include "cpu/accelerator.h"

#include "cpu/device/accelerator-device.h"
#include "cpu/fusion/fuse.h"
#include "cpu/kernels/gemm.h"

#include <cstdlib>
#include <cstring>

namespace llamatune {

std::string accelerator_library() { return gemm_library(); }

bool accelerator_has_fast_bf16() { return gemm_has_fast_bf16(); }

void register_accelerator() {
    if (const char * value = std::getenv("LLAMATUNE_CPU_ACCELERATOR"); value && !std::strcmp(value, "off")) return;
    static const bool registered = [] {
        ggml_backend_register(accelerator_registry());
        return true;
    }();
    (void)registered;
}

ggml_backend_dev_t accelerator_device() { return ggml_backend_dev_by_name(accelerator_name); }

fused_graph fuse(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result, gradients & g) {
    const auto kernels = std::make_shared<host_ops>();
    return {fuse(nodes, result, g.ctx(), *kernels, g), kernels};
}

const char * op_name(const ggml_tensor * node) { return is_host_op(node) ? host_op_name(node) : ggml_op_desc(node); }

std::function<void()> make_bare_product(int64_t tokens, int64_t columns, int64_t rows, const float * x, const float * w,
                                        bool bf16, int n_threads) {
    return make_onednn_product(bf16 ? gemm_type::bf16 : gemm_type::f32, tokens, rows, columns, x, w, n_threads);
}

}
