#include "train/smooth-graph.h"

#include "harness.h"

#include <ggml-cpp.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace tiny {

namespace {

using changed_node = smooth_graph::changed_node;
using line = smooth_graph::line;
using pieces = smooth_graph::pieces;

line relu(float x, const ggml_tensor &) { return {x > 0 ? 1.0f : 0.0f, 0.0f}; }
line absolute(float x, const ggml_tensor &) { return {x < 0 ? -1.0f : 1.0f, 0.0f}; }
line sign(float x, const ggml_tensor &) { return {0.0f, x < 0 ? -1.0f : x > 0 ? 1.0f : 0.0f}; }
line clamp(float x, const ggml_tensor & node) {
    float bounds[2];
    std::memcpy(bounds, node.op_params, sizeof(bounds));
    return x < bounds[0] ? line{0.0f, bounds[0]} : x > bounds[1] ? line{0.0f, bounds[1]} : line{1.0f, 0.0f};
}

// The piece at x of a function that is piecewise linear.
line (*piece_of(const ggml_tensor & node))(float x, const ggml_tensor & node) {
    if (node.op == GGML_OP_CLAMP) return clamp;
    if (node.op == GGML_OP_GLU) return ggml_get_glu_op(&node) == GGML_GLU_OP_REGLU ? relu : nullptr;
    if (node.op != GGML_OP_UNARY) return nullptr;
    switch (ggml_get_unary_op(&node)) {
    case GGML_UNARY_OP_RELU: return relu;
    case GGML_UNARY_OP_ABS: return absolute;
    case GGML_UNARY_OP_SGN: return sign;
    default: return nullptr;
    }
}

bool selects(const ggml_tensor & node) { return node.op == GGML_OP_ARGSORT || node.op == GGML_OP_TOP_K; }

template <typename T>
T * row_of(const ggml_tensor * t, int64_t row) {
    const int64_t i1 = row % t->ne[1], i2 = row / t->ne[1] % t->ne[2], i3 = row / t->ne[1] / t->ne[2];
    char * data = static_cast<char *>(t->data);
    return reinterpret_cast<T *>(data + size_t(i1) * t->nb[1] + size_t(i2) * t->nb[2] + size_t(i3) * t->nb[3]);
}

// y = f(x), or y = f(x) · gate, where the gate may be the second half of each row of x.
void compute_piece(ggml_tensor * node, changed_node & changed, int64_t row) {
    const ggml_tensor *x = node->src[0], *gate = node->src[1];
    const int64_t n = node->ne[0];
    float * to = row_of<float>(node, row);
    const float * from = row_of<float>(x, row);
    const float * factor = gate ? row_of<float>(gate, row) : x->ne[0] == 2 * n ? from + n : nullptr;
    const auto piece = piece_of(changed.original);
    for (int64_t i = 0; i < n; i++) {
        line & stored = changed.lines[size_t(row * n + i)];
        const line l = *changed.mode == pieces::hold ? stored : piece(from[i], changed.original);
        if (*changed.mode == pieces::record) stored = l;
        to[i] = (l.slope * from[i] + l.offset) * (factor ? factor[i] : 1.0f);
    }
}

// The indices of a row in order, or of its largest elements.
void compute_selection(ggml_tensor * node, changed_node & changed, int64_t row) {
    const int64_t n = node->ne[0], n_from = node->src[0]->ne[0];
    int32_t * to = row_of<int32_t>(node, row);
    int32_t * stored = changed.selection.data() + row * n;
    if (*changed.mode == pieces::hold) {
        std::copy_n(stored, n, to);
        return;
    }
    const float * from = row_of<float>(node->src[0], row);
    const bool ascending =
        changed.original.op == GGML_OP_ARGSORT && changed.original.op_params[0] == GGML_SORT_ORDER_ASC;
    std::vector<int32_t> order(static_cast<size_t>(n_from));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return ascending ? from[a] < from[b] : from[a] > from[b]; });
    std::copy_n(order.begin(), n, to);
    if (*changed.mode == pieces::record) std::copy_n(to, n, stored);
}

void compute(ggml_tensor * node, int thread, int n_threads, void * changed_data) {
    auto & changed = *static_cast<changed_node *>(changed_data);
    for (int64_t row = thread; row < ggml_nrows(node); row += n_threads) {
        if (selects(changed.original))
            compute_selection(node, changed, row);
        else
            compute_piece(node, changed, row);
    }
}

}

smooth_graph::smooth_graph(const std::vector<ggml_tensor *> & nodes) {
    for (ggml_tensor * node : nodes) {
        if (!piece_of(*node) && !selects(*node)) continue;
        CHECK(node->src[0]->type == GGML_TYPE_F32);
        CHECK(node->op != GGML_OP_GLU || node->op_params[1] == 0); // not swapped
        changed_.push_back({&mode_, *node});
        if (piece_of(*node)) changed_.back().lines.resize(size_t(ggml_nelements(node)));
        if (selects(*node)) changed_.back().selection.resize(size_t(ggml_nelements(node)));
        const ggml_context_ptr ctx{ggml_init({ggml_tensor_overhead(), nullptr, true})};
        const ggml_tensor * custom =
            ggml_custom_4d(ctx.get(), node->type, 1, 1, 1, 1, nullptr, 0, compute, GGML_N_TASKS_MAX, &changed_.back());
        node->op = custom->op;
        std::memcpy(node->op_params, custom->op_params, sizeof(node->op_params));
    }
}

}
