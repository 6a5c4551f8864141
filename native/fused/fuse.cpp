#include "fused/fuse.h"

#include "fused/lora-linear.h"

#include "fused/attention.h"
#include "fused/convolution.h"
#include "fused/experts.h"
#include "fused/glu.h"
#include "fused/norm.h"
#include "fused/rope.h"
#include "fused/scan.h"

namespace llamatune {

fusion::fusion(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result, ggml_context * ctx, host_ops & ops, gradients & g)
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

std::vector<ggml_tensor *> fuse(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result, ggml_context * ctx,
                                host_ops & ops, gradients & g) {
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
