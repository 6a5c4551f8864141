#include "cpu/fusion/passes.h"

#include "cpu/kernels/delta-net.h"
#include "cpu/kernels/rows.h"
#include "cpu/kernels/scan.h"

#include <algorithm>

namespace llamatune {

namespace {

void back(host_ops & ops, gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    std::vector<ggml_tensor *> sources(node->src, node->src + scan_dy);
    sources.push_back(dy);
    const scan_result at = scan_back_layout(sources.data());
    ggml_tensor * all = ops.make(ctx, "SSM_SCAN_BACK", {at.size}, sources, scan_back);
    const auto part = [&](scan_source source, int64_t offset) {
        ggml_tensor * t = sources[source];
        if (g.wants(t)) {
            g.add(t, ggml_reshape(ctx, ggml_view_1d(ctx, all, ggml_nelements(t), size_t(offset) * sizeof(float)), t));
        }
    };
    part(scan_x, at.x);
    part(scan_dt, at.dt);
    part(scan_a, at.a);
    part(scan_b, at.b);
    part(scan_c, at.c);
    ggml_tensor * s = sources[scan_state];
    if (g.wants(s)) { // sequences start from rows of a table
        const int64_t size = s->ne[0] * s->ne[1] * s->ne[2], n_seqs = sources[scan_x]->ne[3];
        ggml_tensor * rows =
            ggml_view_2d(ctx, all, size, n_seqs, size * sizeof(float), size_t(at.state) * sizeof(float));
        g.add(s,
              ggml_get_rows_back(ctx, g.contiguous(rows), sources[scan_ids], ggml_reshape_2d(ctx, s, size, s->ne[3])));
    }
}

void delta_net_rule(host_ops & ops, gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    std::vector<ggml_tensor *> sources(node->src, node->src + net_dy);
    sources.push_back(dy);
    const delta_net_result at = delta_net_back_layout(sources.data());
    ggml_tensor * all = ops.make(g.ctx(), "GATED_DELTA_NET_BACK", {at.size}, sources, delta_net_back);
    for (int i = 0; i < net_dy; i++) {
        ggml_tensor * t = sources[size_t(i)];
        if (!g.wants(t)) continue;
        g.add(t, ggml_reshape(g.ctx(),
                              ggml_view_1d(g.ctx(), all, ggml_nelements(t), size_t(at.offset[i]) * sizeof(float)), t));
    }
}

}

void fuse_scans(fusion & f) {
    host_ops & ops = f.ops();
    for (ggml_tensor * node : f.nodes()) {
        if (node->op == GGML_OP_GATED_DELTA_NET && delta_net_fits(node)) {
            f.g().set_rule(node,
                           [&ops](gradients & g, ggml_tensor * n, ggml_tensor * dy) { delta_net_rule(ops, g, n, dy); });
        }
        if (node->op != GGML_OP_SSM_SCAN || node->op_params[0] != 1 || !scan_fits(node)) continue;
        if (!std::all_of(node->src, node->src + scan_ids, has_dense_f32_rows)) continue;
        f.g().set_rule(node, [&ops](gradients & g, ggml_tensor * n, ggml_tensor * dy) { back(ops, g, n, dy); });
        if (node->src[scan_a]->ne[0] > 1)
            ops.replace(node, "SSM_SCAN", std::vector<ggml_tensor *>(node->src, node->src + scan_dy), scan);
    }
}

}
