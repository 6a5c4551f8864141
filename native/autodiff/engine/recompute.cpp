#include "autodiff/engine/recompute.h"

#include "autodiff/engine/backward.h"
#include "core/copy-node.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>

namespace llamatune {

namespace {

constexpr size_t none = SIZE_MAX;
// The cuts may need this many times the minimal memory if that saves time.
constexpr double memory_slack = 1.25;
constexpr char recomputed_prefix[] = "recomputed: ";

bool is_view(const ggml_tensor * node) {
    return node->op == GGML_OP_VIEW || node->op == GGML_OP_RESHAPE || node->op == GGML_OP_PERMUTE ||
           node->op == GGML_OP_TRANSPOSE;
}

// Does the node write into the memory of another tensor?
bool is_in_place(const ggml_tensor * node) { return node->view_src && !is_view(node); }

const ggml_tensor * owner(const ggml_tensor * t) { return t->view_src ? t->view_src : t; }

// The range of nodes during which a tensor that owns memory must be kept.
struct lifetime {
    size_t born, last_read;
    double bytes;
};

std::vector<lifetime> lifetimes(const std::vector<ggml_tensor *> & forward, const ggml_tensor * result) {
    std::vector<lifetime> all;
    std::unordered_map<const ggml_tensor *, size_t> index;
    for (size_t i = 0; i < forward.size(); i++) {
        for (const ggml_tensor * source : forward[i]->src) {
            if (!source) continue;
            if (const auto found = index.find(owner(source)); found != index.end()) all[found->second].last_read = i;
        }
        if (!forward[i]->view_src) {
            index[forward[i]] = all.size();
            all.push_back({i, i, double(ggml_nbytes(forward[i]))});
        }
    }
    if (const auto found = index.find(owner(result)); found != index.end())
        all[found->second].last_read = forward.size();
    return all;
}

// Returns the bytes alive after each node; infinite if a cut there would separate a tensor from nodes that write into
// it.
std::vector<double> bytes_alive(const std::vector<ggml_tensor *> & forward, const std::vector<lifetime> & all) {
    std::vector<double> alive(forward.size() + 1, 0);
    std::unordered_map<const ggml_tensor *, size_t> born;
    for (const lifetime & t : all) {
        born[forward[t.born]] = t.born;
        alive[t.born] += t.bytes;
        if (t.last_read < forward.size()) alive[t.last_read] -= t.bytes;
    }
    for (size_t i = 1; i < alive.size(); i++) alive[i] += alive[i - 1];
    for (size_t i = 0; i < forward.size(); i++) {
        if (!is_in_place(forward[i])) continue;
        const auto found = born.find(owner(forward[i]));
        for (size_t p = found == born.end() ? i : found->second; p < i; p++)
            alive[p] = std::numeric_limits<double>::infinity();
    }
    return alive;
}

// The number of multiplications of a product with a weight, fused nodes included; 0 for any other node.
double product_cost(const ggml_tensor * node) {
    if (node->op != GGML_OP_MUL_MAT && node->op != GGML_OP_MUL_MAT_ID && node->op != GGML_OP_CUSTOM) return 0;
    const ggml_tensor * weight = nullptr;
    for (const ggml_tensor * source : node->src) {
        if (!source || source->op != GGML_OP_NONE || source->ne[1] == 1) continue;
        if (!weight || ggml_nelements(source) > ggml_nelements(weight)) weight = source;
    }
    return weight ? double(weight->ne[0]) * double(ggml_nelements(node)) : 0;
}

// Counts the multiplications that are not repeated if a piece ends after a node: those of products whose only readers
// are sums before the kept result. The gradient of a sum or of a product does not need its result.
class skipped_products {
public:
    explicit skipped_products(const std::vector<ggml_tensor *> & forward) {
        for (const ggml_tensor * node : forward) {
            for (const ggml_tensor * source : node->src) {
                if (source) readers_[source]++;
            }
        }
    }
    double after(const ggml_tensor * node) const {
        if (node->op != GGML_OP_ADD && node->op != GGML_OP_SCALE && node->op != GGML_OP_CONT && !is_view(node)) {
            return product_cost(node);
        }
        double saved = 0;
        for (const ggml_tensor * source : node->src) {
            if (source && readers_.at(source) == 1) saved += after(source);
        }
        return saved;
    }

private:
    std::unordered_map<const ggml_tensor *, int> readers_;
};

// Finds possible cuts: nodes after which fewer bytes are alive than just before and just after. There are few enough to
// compare in pairs.
std::vector<size_t> candidates(const std::vector<double> & alive, size_t n_nodes) {
    constexpr size_t max_candidates = 1000;
    std::vector<size_t> found;
    for (size_t i = 1; i + 1 < n_nodes; i++) {
        if (alive[i] < alive[i - 1] && alive[i] <= alive[i + 1]) found.push_back(i);
    }
    if (found.size() > max_candidates) {
        std::vector<double> sizes;
        for (size_t i : found) sizes.push_back(alive[i]);
        std::nth_element(sizes.begin(), sizes.begin() + max_candidates, sizes.end());
        const double limit = sizes[max_candidates];
        found.erase(std::remove_if(found.begin(), found.end(), [&](size_t i) { return alive[i] >= limit; }),
                    found.end());
    }
    return found;
}

// The sizes of the pieces between two candidates: the bytes that a piece makes, and how many of them outlive it.
class piece_sizes {
public:
    piece_sizes(const std::vector<lifetime> & all, const std::vector<size_t> & ends)
        : n_(ends.size()), made_(n_ * n_), kept_(n_ * n_) {
        std::vector<std::vector<const lifetime *>> by_interval(n_); // interval i: nodes (ends[i - 1], ends[i]]
        for (const lifetime & t : all) {
            by_interval[size_t(std::lower_bound(ends.begin(), ends.end(), t.born) - ends.begin())].push_back(&t);
        }
        for (size_t last = 0; last < n_; last++) {
            double made = 0, kept = 0;
            for (size_t first = last + 1; first-- > 0;) {
                for (const lifetime * t : by_interval[first]) {
                    made += t->bytes;
                    if (t->last_read > ends[last]) kept += t->bytes;
                }
                made_[first * n_ + last] = made;
                kept_[first * n_ + last] = kept;
            }
        }
    }
    // of intervals first … last
    double made(size_t first, size_t last) const { return made_[first * n_ + last]; }
    double kept(size_t first, size_t last) const { return kept_[first * n_ + last]; }

private:
    size_t n_;
    std::vector<double> made_, kept_;
};

struct division {
    double kept, saved;
    std::vector<size_t> last_intervals; /* of all pieces except the last */
};

// Finds the division into pieces of at most `limit` bytes that keeps the fewest bytes and, among equals, saves the most
// multiplications. A tensor that is alive at a cut and older than the previous cut was counted there: a piece adds only
// the bytes that it made.
division divide(const piece_sizes & sizes, const std::vector<double> & saved_after, double limit) {
    const size_t n = saved_after.size();
    std::vector<double> least(n + 1, std::numeric_limits<double>::infinity()); // of the first i intervals
    std::vector<double> saved(n + 1, 0);
    std::vector<size_t> from(n + 1, none);
    least[0] = 0;
    for (size_t i = 1; i <= n; i++) {
        for (size_t first = i; first-- > 0;) {
            if (sizes.made(first, i - 1) > limit && first + 1 < i) break; // made() only grows from here
            const double kept = least[first] + (i < n ? sizes.kept(first, i - 1) : 0.0);
            const double total_saved = saved[first] + saved_after[i - 1];
            if (kept < least[i] || (kept == least[i] && total_saved > saved[i])) {
                least[i] = kept;
                saved[i] = total_saved;
                from[i] = first;
            }
        }
    }
    division result{least[n], saved[n], {}};
    for (size_t i = from[n]; i > 0; i = from[i]) result.last_intervals.push_back(i - 1);
    std::reverse(result.last_intervals.begin(), result.last_intervals.end());
    return result;
}

// Differentiates a piece through clones of its nodes.
void run_backward_recomputed(gradients & g, const std::vector<ggml_tensor *> & piece) {
    if (std::none_of(piece.begin(), piece.end(), [&](const ggml_tensor * node) { return g.of(node); })) {
        return; // no gradient reaches this piece
    }
    std::unordered_map<const ggml_tensor *, ggml_tensor *> copies;
    std::vector<ggml_tensor *> clones;
    for (ggml_tensor * node : piece) {
        clones.push_back(copy_node(g.ctx(), node, copy_memory::same, [&](ggml_tensor * t) {
            const auto found = copies.find(t);
            return found == copies.end() ? t : found->second;
        }));
        copies[node] = clones.back();
        ggml_format_name(clones.back(), "%s%s", recomputed_prefix, node->name);
        if (g.wants(node)) g.want(clones.back());
        if (const node_rule * fused = g.node_rule_of(node)) g.set_rule(clones.back(), node_rule(*fused));
    }
    if (std::any_of(clones.begin(), clones.end(), is_in_place)) {
        for (ggml_tensor * node : clones) g.run(node); // in-place nodes depend on the order
    }
    for (size_t i = 0; i < piece.size(); i++) {
        ggml_tensor * dy = g.of(piece[i]); // from later pieces
        if (!dy) continue;
        // rules that add to a gradient in place do so as without pieces, so that sums are rounded alike
        if (g.unshared(piece[i]) && g.wants(clones[i])) {
            g.set_unshared(clones[i], dy);
        } else {
            g.add(clones[i], dy);
        }
    }
    run_backward(g, clones);
}

}

bool is_recomputed(const ggml_tensor * node) {
    return std::strncmp(node->name, recomputed_prefix, sizeof(recomputed_prefix) - 1) == 0;
}

std::vector<size_t> find_cuts(const std::vector<ggml_tensor *> & forward, const ggml_tensor * result) {
    const std::vector<lifetime> all = lifetimes(forward, result);
    const std::vector<double> alive = bytes_alive(forward, all);
    std::vector<size_t> ends = candidates(alive, forward.size());
    if (ends.empty()) return {};
    ends.push_back(forward.size() - 1);
    const piece_sizes sizes(all, ends);

    std::vector<double> saved_after;
    const skipped_products skipped(forward);
    for (size_t end : ends) saved_after.push_back(skipped.after(forward[end]));
    saved_after.back() = 0;

    // A piece occupies its memory for a while, kept tensors all the time: the best limit has the smallest sum of both.
    struct choice {
        division pieces;
        double bytes;
    };
    std::vector<choice> choices;
    double smallest = 0;
    for (size_t i = 0; i < ends.size(); i++) smallest = std::max(smallest, sizes.made(i, i));
    const double whole = sizes.made(0, ends.size() - 1);
    double least = whole;
    for (double limit = smallest; limit < whole; limit *= 1.1) {
        division pieces = divide(sizes, saved_after, limit);
        const double bytes = pieces.kept + limit;
        least = std::min(least, bytes);
        // the last piece is not recomputed
        if (pieces.last_intervals.empty()) continue;
        for (size_t i = ends[pieces.last_intervals.back()] + 1; i < forward.size(); i++)
            pieces.saved += product_cost(forward[i]);
        choices.push_back({std::move(pieces), bytes});
    }
    const choice * best = nullptr;
    for (const choice & c : choices) {
        if (c.bytes >= whole || c.bytes > memory_slack * least) continue;
        if (!best || c.pieces.saved > best->pieces.saved ||
            (c.pieces.saved == best->pieces.saved && c.bytes < best->bytes))
            best = &c;
    }
    std::vector<size_t> cuts;
    if (best) {
        for (size_t interval : best->pieces.last_intervals) cuts.push_back(ends[interval] + 1);
    }
    return cuts;
}

void run_backward(gradients & g, const std::vector<ggml_tensor *> & forward, const std::vector<size_t> & cuts) {
    size_t end = forward.size();
    for (size_t i = cuts.size() + 1; i-- > 0;) {
        const size_t begin = i ? cuts[i - 1] : 0;
        const std::vector<ggml_tensor *> piece(forward.begin() + std::ptrdiff_t(begin),
                                               forward.begin() + std::ptrdiff_t(end));
        if (end == forward.size()) {
            run_backward(g, piece);
        } else {
            run_backward_recomputed(g, piece);
        }
        end = begin;
    }
}

}
