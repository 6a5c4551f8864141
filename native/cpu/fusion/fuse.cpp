#include "cpu/fusion/fuse.h"

#include "cpu/fusion/fuse-lora-linear.h"

#include "cpu/fusion/fuse-attention.h"
#include "cpu/fusion/fuse-convolution.h"
#include "cpu/fusion/fuse-experts.h"
#include "cpu/fusion/fuse-glu.h"
#include "cpu/fusion/fuse-norm.h"
#include "cpu/fusion/fuse-rope.h"
#include "cpu/fusion/fuse-scan.h"

namespace llamatune {

fusion::fusion(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result, tensor_arena & ctx, host_ops & ops,
               gradients & g)
    : nodes_(nodes), ctx_(ctx), ops_(ops), g_(g) {
    for (const ggml_tensor * node : nodes) {
        for (const ggml_tensor * source : node->src) {
            if (source) uses_[source]++;
        }
    }
    uses_[result]++;
}

int fusion::uses(const ggml_tensor * t) const {
    const auto found = uses_.find(t);
    return found == uses_.end() ? 0 : found->second;
}

bool fusion::only_for_one(const ggml_tensor * t, ggml_op op) const {
    return t && t->op == op && uses(t) == 1 && !dropped_.count(t);
}

std::vector<ggml_tensor *> fusion::remaining() const {
    std::vector<ggml_tensor *> left;
    for (ggml_tensor * node : nodes_) {
        if (!dropped_.count(node)) left.push_back(node);
    }
    return left;
}

std::vector<ggml_tensor *> fuse(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result,
                                tensor_arena & ctx, host_ops & ops, gradients & g) {
    fusion f(nodes, result, ctx, ops, g);
    fuse_lora_linears(f);
    fuse_experts(f);
    fuse_expert_sums(f);
    fuse_attention(f);
    fuse_glu(f);
    fuse_ropes(f);
    fuse_norms(f);
    fuse_scans(f);
    fuse_convolutions(f);
    return f.remaining();
}

}
