#include "core/matmul-type.h"

namespace llamatune {

namespace {

// Converting a factor costs memory traffic that its multiplications must outweigh: each of its numbers is multiplied
// with as many as the result has along the other factor's side.
constexpr int64_t least_multiplications = 512;
constexpr int64_t least_summands = 64; // with fewer, as in LoRA pairs, writing the result takes longest

bool is_worth_rounding(const ggml_tensor * product) {
    const bool first = product->src[0]->type != GGML_TYPE_F32 || product->ne[1] >= least_multiplications;
    const bool second = product->src[1]->type != GGML_TYPE_F32 || product->ne[0] >= least_multiplications;
    const int64_t inner = product->op == GGML_OP_OUT_PROD ? product->src[0]->ne[1] : product->src[0]->ne[0];
    return first && second && inner >= least_summands;
}

}

bool multiplies_in(ggml_backend_dev_t device, ggml_type type) {
    using multiplies_in_fn = bool (*)(ggml_backend_dev_t, ggml_type);
    const auto ask = reinterpret_cast<multiplies_in_fn>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "llamatune_multiplies_in"));
    return ask && ask(device, type);
}

void set_matmul_type(ggml_cgraph * graph, ggml_type type) {
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor * node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_OUT_PROD) {
            const bool rounds = type == GGML_TYPE_BF16 && is_worth_rounding(node);
            ggml_prec_set_src(node, rounds ? GGML_PREC_BF16 : GGML_PREC_F32, 1);
        } else if (node->op == GGML_OP_MUL_MAT_ID && type == GGML_TYPE_BF16 && !ggml_is_quantized(node->src[0]->type)) {
            // CUDA has a kernel for quantized experts that needs no synchronization with the host: keep it
            ggml_prec_set_src(node, GGML_PREC_BF16, 1);
        }
    }
}

}
