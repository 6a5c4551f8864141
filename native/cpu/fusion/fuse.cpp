#include "cpu/fusion/fuse.h"

#include "cpu/fusion/passes.h"

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

void add_linear_back(gradients & g, host_ops & ops, const char * name, ggml_tensor * x, ggml_tensor * dx,
                     const std::vector<ggml_tensor *> & sources, const host_kernel & kernel,
                     const host_scratch & scratch) {
    if (!g.wants(x)) {
        g.run(ops.make(g.ctx(), name, {1}, sources, kernel, scratch));
        return;
    }
    const bool adds = dx != nullptr;
    dx = adds ? ops.make_inplace(g.ctx(), name, dx, sources, kernel, scratch)
              : ops.make(g.ctx(), name, {x->ne[0], x->ne[1], x->ne[2]}, sources, kernel, scratch);
    if (adds || !g.of(x))
        g.set_unshared(x, dx);
    else
        g.add(x, dx);
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
