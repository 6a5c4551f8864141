#include "cpu/accelerator.h"

#include "cpu/device/accelerator-device.h"
#include "cpu/fusion/fuse.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/host-op.h"
#include "cpu/kernels/node-products.h"
#include "cpu/kernels/output-loss.h"
#include "cpu/kernels/tiled-weights.h"

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

namespace {

bool is_supported(const ggml_tensor * logits) {
    if (!accelerator_device() || logits->op != GGML_OP_MUL_MAT) return false;
    const ggml_tensor *w = logits->src[0], *hidden = logits->src[1];
    return w->op == GGML_OP_NONE && ggml_is_matrix(w) && ggml_is_matrix(hidden) && dense_rows(w) &&
           !in_tiles_buffer(w) && (w->type == GGML_TYPE_F32 || ggml_get_type_traits(w->type)->to_float) &&
           hidden->type == GGML_TYPE_F32 && hidden->nb[0] == sizeof(float);
}

output_loss inputs_of(const ggml_tensor * w, const ggml_tensor * hidden, const ggml_tensor * targets,
                      float label_smoothing) {
    return {w, hidden, static_cast<const int32_t *>(targets->data), label_smoothing};
}

float * floats(const ggml_tensor * t) { return static_cast<float *>(t->data); }

}

fused_cross_entropy fuse_cross_entropy(ggml_context * ctx, ggml_tensor * logits, ggml_tensor * targets,
                                       ggml_tensor * weights, const host_cross_entropy_outputs & outputs,
                                       float label_smoothing, bool with_gradient) {
    if (!is_supported(logits)) return {};
    const auto kernels = std::make_shared<host_ops>();
    ggml_tensor *w = logits->src[0], *hidden = logits->src[1];
    const int64_t n_kept = with_gradient ? output_loss_values(w->ne[1], hidden->ne[1]) : 1;
    ggml_tensor * forward = kernels->make(
        ctx, "OUTPUT_LOSS", {n_kept}, {w, hidden, targets, outputs.losses, outputs.is_best},
        [=](ggml_tensor * node, executor & exec) {
            output_loss_forward(exec, inputs_of(node->src[0], node->src[1], node->src[2], label_smoothing),
                                floats(node->src[3]), floats(node->src[4]), with_gradient ? floats(node) : nullptr);
        },
        [](const ggml_tensor * node, const executor & exec) {
            return output_loss_forward_scratch(exec, node->src[0], node->src[1]->ne[1]);
        });
    if (!with_gradient) return {forward, kernels};
    ggml_tensor * dhidden = kernels->make(
        ctx, "OUTPUT_LOSS_BACK", {hidden->ne[0], hidden->ne[1]}, {w, hidden, targets, forward, weights},
        [=](ggml_tensor * node, executor & exec) {
            output_loss_backward(exec, inputs_of(node->src[0], node->src[1], node->src[2], label_smoothing),
                                 floats(node->src[3]), floats(node->src[4]), floats(node));
        },
        [](const ggml_tensor * node, const executor & exec) {
            return output_loss_backward_scratch(exec, node->src[0], node->src[1]->ne[1]);
        });
    return {dhidden, kernels};
}

}
