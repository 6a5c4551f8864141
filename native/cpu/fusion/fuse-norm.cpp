#include "cpu/fusion/passes.h"

#include "cpu/kernels/norm.h"
#include "cpu/kernels/rope.h"
#include "cpu/kernels/rows.h"

#include <cstring>
#include <unordered_set>

namespace llamatune {

namespace {

// RMS_NORM, or its product with a gain.
struct group {
    ggml_tensor * norm = nullptr;
    ggml_tensor * gain = nullptr;
};

// Whether t can be the gain: a weight and, if it is trained, a single row, since its gradient is a sum over all rows.
bool is_gain(const gradients & g, const ggml_tensor * t, int64_t n) {
    const ggml_tensor * owner = t->view_src ? t->view_src : t;
    if (owner->op != GGML_OP_NONE || t->ne[0] != n || !has_dense_f32_rows(t)) return false;
    return !g.wants(owner) || (owner == t && ggml_nelements(t) == n);
}

// The group that ends with `last`.
bool find(const fusion & f, ggml_tensor * last, group & found) {
    if (last->op == GGML_OP_RMS_NORM) {
        found.norm = last;
    } else if (last->op == GGML_OP_MUL && f.only_for_one(last->src[0], GGML_OP_RMS_NORM)) {
        found.norm = last->src[0];
        found.gain = last->src[1];
        if (!is_gain(f.g(), found.gain, last->ne[0])) return false;
    } else {
        return false;
    }
    return has_dense_f32_rows(found.norm->src[0]) && !found.norm->view_src && !last->view_src;
}

float epsilon_of(const ggml_tensor * norm) {
    float epsilon;
    std::memcpy(&epsilon, norm->op_params, sizeof(epsilon));
    return epsilon;
}

void back(host_ops & ops, const norm_parameters & p, gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * x = node->src[norm_x];
    ggml_tensor * gain = node->src[norm_gain];
    if (g.wants(x)) {
        ggml_tensor * other = g.of(x);
        other = other && has_dense_f32_rows(other) && ggml_are_same_shape(other, x) ? g.take(x) : nullptr;
        g.add(x, ops.make(g.ctx(), "RMS_NORM_BACK", {x->ne[0], x->ne[1], x->ne[2], x->ne[3]},
                          {x, gain, node->src[norm_angles], dy, other},
                          [p](ggml_tensor * out, executor & exec) { rms_norm_back(p, out, exec); }));
    }
    if (gain && g.wants(gain)) {
        g.add(gain, ops.make(g.ctx(), "RMS_NORM_GAIN_BACK", {gain->ne[0]}, {x, nullptr, nullptr, dy},
                             [p](ggml_tensor * out, executor & exec) { rms_norm_gain_back(p, out, exec); }));
    }
}

void turn(fusion & f, ggml_tensor * node, const group & found, ggml_tensor * angles, const norm_parameters & p) {
    host_ops & ops = f.ops();
    ops.replace(node, angles ? "RMS_NORM_ROPE" : "RMS_NORM", {found.norm->src[0], found.gain, angles},
                [p](ggml_tensor * out, executor & exec) { rms_norm(p, out, exec); });
    f.g().set_rule(node, [&ops, p](gradients & g, ggml_tensor * n, ggml_tensor * dy) { back(ops, p, g, n, dy); });
}

}

void fuse_norms(fusion & f) {
    std::unordered_set<const ggml_tensor *> with_gain;
    for (auto it = f.nodes().rbegin(); it != f.nodes().rend(); ++it) { // a product with a gain before its norm
        group found;
        if (with_gain.count(*it) || !find(f, *it, found)) continue;
        turn(f, *it, found, nullptr, {epsilon_of(found.norm)});
        if (found.norm == *it) continue;
        f.drop(found.norm);
        with_gain.insert(found.norm);
    }
}

bool fuse_norm_with_rotation(fusion & f, ggml_tensor * node, ggml_tensor * angles, int64_t n_rotated, bool neox) {
    ggml_tensor * last = node->src[0];
    group found;
    if (f.uses(last) != 1 || last->ne[0] > most_rotated_row || !find(f, last, found) ||
        (found.gain && f.g().wants(found.gain))) {
        return false;
    }
    turn(f, node, found, angles, {epsilon_of(found.norm), n_rotated, neox});
    f.drop(found.norm);
    f.drop(last);
    return true;
}

}
