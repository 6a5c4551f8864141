#include "autodiff/rules/families.h"

#include "core/error.h"

#include <vector>

namespace llamatune::rules {

namespace {

// Adds zeros on both sides of each dimension: dx is the window of dy that holds x.
void pad(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    const int32_t * p = node->op_params; // left and right of dimension 0, 1, 2, 3; circular
    if (p[8]) {
        throw error("UNSUPPORTED_OP", "cannot differentiate PAD that repeats the tensor instead of adding zeros");
    }
    const size_t offset = p[0] * dy->nb[0] + p[2] * dy->nb[1] + p[4] * dy->nb[2] + p[6] * dy->nb[3];
    const int64_t * ne = node->src[0]->ne;
    g.add(node->src[0], ggml_view_4d(g.ctx(), dy, ne[0], ne[1], ne[2], ne[3], dy->nb[1], dy->nb[2], dy->nb[3], offset));
}

void roll(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    const int32_t * shift = node->op_params;
    g.add(node->src[0], ggml_roll(g.ctx(), dy, -shift[0], -shift[1], -shift[2], -shift[3]));
}

struct strides {
    size_t nb1, nb2, nb3, offset;
};

// The window into which SET and ACC put their second source, in bytes of the first.
strides window_of(const ggml_tensor * node) {
    const int32_t * p = node->op_params;
    return {size_t(p[0]), size_t(p[1]), size_t(p[2]), size_t(p[3])};
}

void add_window_gradient(gradients & g, const ggml_tensor * node, ggml_tensor * dy) {
    ggml_tensor * part = node->src[1];
    if (g.wants(part)) {
        const strides w = window_of(node);
        g.add(part, ggml_view_4d(g.ctx(), dy, part->ne[0], part->ne[1], part->ne[2], part->ne[3], w.nb1, w.nb2, w.nb3,
                                 w.offset));
    }
}

// Finds a chain of SETs, ending with `last`, that fills a tensor slice by slice along one dimension: what they
// overwrite has no gradient. Returns nothing if slices are missing or differ in shape.
std::vector<ggml_tensor *> find_filling_chain(ggml_tensor * last) {
    const ggml_tensor * part = last->src[1];
    const strides w = window_of(last);
    int dim = -1; // the dimension that a slice does not fill
    for (int i = 0; i < GGML_MAX_DIMS; i++) {
        if (part->ne[i] == last->ne[i]) continue;
        if (dim >= 0) return {};
        dim = i;
    }
    if (dim < 0 || last->ne[dim] % part->ne[dim] || w.nb1 != last->nb[1] || w.nb2 != last->nb[2] ||
        w.nb3 != last->nb[3])
        return {};
    const size_t step = last->nb[dim] * size_t(part->ne[dim]);
    std::vector<ggml_tensor *> chain;
    std::vector<bool> filled(size_t(last->ne[dim] / part->ne[dim]));
    for (ggml_tensor * node = last; node->op == GGML_OP_SET && chain.size() < filled.size(); node = node->src[0]) {
        const strides here = window_of(node);
        const size_t slice = here.offset / step;
        if (!ggml_are_same_shape(node->src[1], part) || here.nb1 != w.nb1 || here.nb2 != w.nb2 || here.nb3 != w.nb3 ||
            here.offset % step || slice >= filled.size() || filled[slice]) {
            return {};
        }
        filled[slice] = true;
        chain.push_back(node);
    }
    return chain.size() == filled.size() ? chain : std::vector<ggml_tensor *>();
}

void set(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    if (const std::vector<ggml_tensor *> chain = find_filling_chain(node); !chain.empty()) {
        for (ggml_tensor * link : chain) add_window_gradient(g, link, dy);
        return;
    }
    if (g.wants(node->src[0])) {
        const strides w = window_of(node);
        ggml_tensor * zeros = g.zeros(node->src[1]);
        g.add(node->src[0],
              ggml_set(g.ctx(), dy, zeros, w.nb1, w.nb2, w.nb3, w.offset)); // overwritten numbers have no gradient
    }
    add_window_gradient(g, node, dy);
}

void acc(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    g.add(node->src[0], dy);
    add_window_gradient(g, node, dy);
}

// Views 64-bit row numbers, as llama.cpp's caches have them, as their lower halves: GET_ROWS takes 32-bit numbers. (All
// hosts of GGUF are little-endian, and no tensor has 2^31 rows.)
ggml_tensor * as_i32(gradients & g, ggml_tensor * rows) {
    if (rows->type == GGML_TYPE_I32) { return rows; }
    ggml_tensor * low = ggml_view_tensor(g.ctx(), rows);
    low->type = GGML_TYPE_I32; // the strides stay those of 64-bit numbers
    low->op = GGML_OP_VIEW;
    low->src[0] = rows;
    return low;
}

// y = a with rows replaced by those of b. The row numbers of one batch are assumed to be distinct: if a row is written
// twice, the result depends on the device.
void set_rows(gradients & g, ggml_tensor * node, ggml_tensor * dy) {
    tensor_arena & ctx = g.ctx();
    ggml_tensor * b = node->src[0];    // [k, n, b2, b3]
    ggml_tensor * rows = node->src[1]; // [n, b2 | 1, b3 | 1]
    ggml_tensor * a = node->src[2];    // [k, n_rows, b2, b3]
    if (g.wants(a)) {
        ggml_tensor * da = ggml_cont(ctx, dy); // a copy, since SET_ROWS writes in place
        g.add(a, ggml_set_rows(ctx, da, g.zeros(b), rows));
    }
    if (!g.wants(b)) { return; }
    const int64_t batches = b->ne[2] * b->ne[3];
    if (rows->ne[1] * rows->ne[2] != batches && rows->ne[1] * rows->ne[2] != 1) {
        throw error("UNSUPPORTED_OP",
                    std::string("cannot differentiate SET_ROWS with lists of rows for some of its batches: ") +
                        node->name);
    }
    rows = as_i32(g, rows);
    if (rows->ne[1] * rows->ne[2] == batches) {
        g.add(b, ggml_get_rows(ctx, dy, rows));
        return;
    }
    // one list for all batches: rows of all batches are concatenated into longer rows
    const int64_t k = b->ne[0], n = b->ne[1], n_rows = a->ne[1];
    ggml_tensor * wide = ggml_cont(ctx, ggml_permute(ctx, dy, 0, 3, 1, 2)); // [k, b2, b3, n_rows]
    ggml_tensor * read = ggml_get_rows(ctx, ggml_reshape_2d(ctx, wide, k * batches, n_rows), rows);
    g.add(b, ggml_permute(ctx, ggml_reshape_4d(ctx, read, k, b->ne[2], b->ne[3], n), 0, 2, 3, 1)); // [k, n, b2, b3]
}

}

rule_rows window_rules() {
    return {
        // zeros around x: dx is the window of dy
        {GGML_OP_PAD, pad},
        // dx is dy rolled back
        {GGML_OP_ROLL, roll},
        // y = a, in a window b: da = dy outside of it, db = dy inside
        {GGML_OP_SET, set},
        // y = a, in a window a + b: da = dy, db = dy inside of it
        {GGML_OP_ACC, acc},
        // y = a, at some rows b: da = dy at the other rows, db = dy at these
        {GGML_OP_SET_ROWS, set_rows},
    };
}

}
