#include "cpu/fusion/passes.h"

#include "cpu/kernels/rope.h"
#include "cpu/kernels/rows.h"

#include <vector>

namespace llamatune {

namespace {

// Angle nodes by positions, frequency factors and parameters.
class angle_nodes {
public:
    explicit angle_nodes(fusion & f) : f_(f) {}

    ggml_tensor * of(const ggml_tensor * node) {
        const rope_parameters p = rope_parameters_of(node);
        for (const entry & e : made_) {
            if (e.parameters == p && e.node->src[0] == node->src[1] && e.node->src[1] == node->src[2]) return e.node;
        }
        ggml_tensor * angles =
            f_.ops().make(f_.ctx(), "ROPE_ANGLES", {p.n_dims, node->src[1]->ne[0]}, {node->src[1], node->src[2]},
                          [p](ggml_tensor * out, executor & exec) { rope_angles(p, out, exec); });
        made_.push_back({p, angles});
        return angles;
    }

private:
    struct entry {
        rope_parameters parameters;
        ggml_tensor * node;
    };
    fusion & f_;
    std::vector<entry> made_;
};

bool fits(const ggml_tensor * node) {
    const int mode = node->op_params[2], first_dim = node->op_params[15];
    return node->op == GGML_OP_ROPE && !node->view_src &&
           (mode == GGML_ROPE_TYPE_NORMAL || mode == GGML_ROPE_TYPE_NEOX) && first_dim == 0 &&
           has_dense_f32_rows(node->src[0]);
}

void back(host_ops & ops, rotation r, gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    r.back = true;
    g.add(node->src[0], ops.make(g.ctx(), "ROPE_BACK", {dy->ne[0], dy->ne[1], dy->ne[2], dy->ne[3]}, {dy, node->src[1]},
                                 [r](ggml_tensor * out, executor & exec) { rope(r, out, exec); }));
}

}

void fuse_ropes(fusion & f) {
    host_ops & ops = f.ops();
    angle_nodes all(f);
    for (ggml_tensor * node : f.nodes()) {
        if (!fits(node)) continue;
        ggml_tensor * angles = all.of(node);
        const rotation r{node->ne[0], node->op_params[1], node->op_params[2] == GGML_ROPE_TYPE_NEOX, false};
        if (fuse_norm_with_rotation(f, node, angles, r.n_dims, r.neox)) continue;
        ops.replace(node, "ROPE", {node->src[0], angles},
                    [r](ggml_tensor * out, executor & exec) { rope(r, out, exec); });
        f.g().set_rule(node, [&ops, r](gradients & g, ggml_tensor * n, ggml_tensor * dy) { back(ops, r, g, n, dy); });
    }
}

}
