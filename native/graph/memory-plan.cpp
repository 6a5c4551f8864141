#include "graph/memory-plan.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace llamatune {

namespace {

constexpr size_t none = SIZE_MAX;

// Tensors that share one address: a result, and the results that overwrite it.
struct block {
    size_t born, last; // the first and the last node that need it
    size_t bytes, offset = none;
    std::vector<ggml_tensor *> tensors;
};

ggml_tensor * owner(ggml_tensor * t) { return t->view_src ? t->view_src : t; }

// Can a kernel of this op write its result over a source, element by element or row by row?
bool can_overwrite_source(const ggml_tensor * node) {
    switch (node->op) {
    case GGML_OP_SCALE:
    case GGML_OP_ADD:
    case GGML_OP_SUB:
    case GGML_OP_MUL:
    case GGML_OP_DIV:
    case GGML_OP_SQR:
    case GGML_OP_SQRT:
    case GGML_OP_LOG:
    case GGML_OP_UNARY:
    case GGML_OP_ROPE:
    case GGML_OP_RMS_NORM:
    case GGML_OP_SOFT_MAX: return true;
    default: return false;
    }
}

bool same_layout(const ggml_tensor * a, const ggml_tensor * b) {
    return a->type == b->type && std::equal(a->ne, a->ne + GGML_MAX_DIMS, b->ne) &&
           std::equal(a->nb, a->nb + GGML_MAX_DIMS, b->nb);
}

// Are the elements of a source where those of the node would be, if it overwrote the owner of the source?
bool is_at_place_of(const ggml_tensor * source, const ggml_tensor * node) {
    return same_layout(source, node) && source->view_offs == 0;
}

// Does the node read elements of `overwritten` that it has overwritten before, such as those of its transpose?
bool is_read_in_another_order(const ggml_tensor * node, const ggml_tensor * overwritten) {
    for (ggml_tensor * source : node->src) {
        if (source && owner(source) == overwritten && !is_at_place_of(source, node)) return true;
    }
    return false;
}

class lifetimes {
public:
    explicit lifetimes(ggml_cgraph * graph) : graph_(graph), n_nodes_(size_t(ggml_graph_n_nodes(graph))) {
        find_last_readers();
        for (size_t i = 0; i < n_nodes_; i++) {
            ggml_tensor * node = node_at(i);
            for (ggml_tensor * source : node->src) {
                if (source && source->op == GGML_OP_NONE && needs_memory(source) && !block_of_.count(source)) {
                    add(source, 0, n_nodes_);
                }
            }
            if (!needs_memory(node)) continue;
            const size_t reused = source_to_overwrite(node, i);
            if (reused == none) {
                add(node, i, last_[node]);
            } else {
                blocks[reused].tensors.push_back(node);
                blocks[reused].last = last_[node];
                block_of_[node] = reused;
            }
        }
    }

    std::vector<block> blocks;

private:
    ggml_tensor * node_at(size_t i) const { return ggml_graph_node(graph_, int(i)); }
    static bool needs_memory(const ggml_tensor * t) { return !t->data && !t->view_src; }

    void find_last_readers() {
        std::unordered_set<const ggml_tensor *> read;
        for (size_t i = 0; i < n_nodes_; i++) {
            for (ggml_tensor * source : node_at(i)->src) {
                if (!source) continue;
                last_[owner(source)] = i;
                read.insert(source);
            }
        }
        for (size_t i = 0; i < n_nodes_; i++) {
            ggml_tensor * node = node_at(i);
            if (!read.count(node) || (node->flags & GGML_TENSOR_FLAG_OUTPUT)) last_[owner(node)] = n_nodes_;
        }
    }

    void add(ggml_tensor * t, size_t born, size_t last) {
        block_of_[t] = blocks.size();
        blocks.push_back({born, last, ggml_nbytes(t), none, {t}});
    }

    // The block of a source that this node is the last to read and may overwrite.
    size_t source_to_overwrite(const ggml_tensor * node, size_t index) {
        if (!can_overwrite_source(node)) return none;
        for (ggml_tensor * source : node->src) {
            if (!source || !is_at_place_of(source, node) || is_read_in_another_order(node, owner(source))) continue;
            const auto found = block_of_.find(owner(source));
            if (found != block_of_.end() && blocks[found->second].last == index &&
                ggml_nbytes(owner(source)) == ggml_nbytes(node)) {
                return found->second;
            }
        }
        return none;
    }

    ggml_cgraph * graph_;
    size_t n_nodes_;
    std::unordered_map<const ggml_tensor *, size_t> last_;
    std::unordered_map<const ggml_tensor *, size_t> block_of_;
};

// Blocks with a place, by the parts of the graph in which they live.
class placed_blocks {
public:
    explicit placed_blocks(size_t n_nodes) : parts_(n_nodes / part_length + 2) {}

    // The offset of the tightest gap that holds `bytes` during the block's life; the end if there is none.
    size_t find_gap(const block & b, size_t bytes) {
        overlapping_.clear();
        for (size_t p = b.born / part_length; p <= b.last / part_length; p++) {
            for (const block * other : parts_[p]) {
                if (other->born <= b.last && b.born <= other->last) overlapping_.push_back(other);
            }
        }
        std::sort(overlapping_.begin(), overlapping_.end(),
                  [](const block * x, const block * y) { return x->offset < y->offset; });
        size_t end = 0, best = none, best_size = none;
        for (const block * other : overlapping_) {
            if (other->offset > end && other->offset - end >= bytes && other->offset - end < best_size) {
                best = end;
                best_size = other->offset - end;
            }
            end = std::max(end, other->offset + other->bytes);
        }
        return best == none ? end : best;
    }

    void add(const block & b) {
        for (size_t p = b.born / part_length; p <= b.last / part_length; p++) parts_[p].push_back(&b);
    }

private:
    static constexpr size_t part_length = 32; // nodes
    std::vector<std::vector<const block *>> parts_;
    std::vector<const block *> overlapping_;
};

}

memory_plan plan_memory(ggml_cgraph * graph, size_t alignment) {
    std::vector<block> blocks = std::move(lifetimes(graph).blocks);
    for (block & b : blocks) b.bytes = GGML_PAD(b.bytes, alignment);
    std::stable_sort(blocks.begin(), blocks.end(), [](const block & a, const block & b) {
        return a.bytes != b.bytes ? a.bytes > b.bytes : a.last - a.born > b.last - b.born;
    });
    placed_blocks placed{size_t(ggml_graph_n_nodes(graph))};
    memory_plan plan;
    for (block & b : blocks) {
        b.offset = placed.find_gap(b, b.bytes);
        placed.add(b);
        plan.bytes = std::max(plan.bytes, b.offset + b.bytes);
        for (ggml_tensor * t : b.tensors) plan.places.push_back({t, b.offset});
    }
    return plan;
}

}
