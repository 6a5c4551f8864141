#include "cpu/kernels/expert-linear.h"

#include "core/error.h"
#include "cpu/kernels/rows.h"
#include "cpu/kernels/vector-math.h"
#include "cpu/kernels/weight-product.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace llamatune {

namespace {

constexpr int64_t rows_of_unit = 16; // the rows of an expert are padded: few different sizes of products, whole tiles
constexpr int64_t rows_at_once = 64; // per piece of work
constexpr int64_t sum_at_once = 256; // rows per partial sum of the gradient of a pair

const float * floats(const ggml_tensor * t) { return static_cast<const float *>(t->data); }

// The slots of a batch, grouped by expert. Group e has rows [first[e], first[e + 1]), each with a slot or -1 (padding).
struct groups {
    int64_t n_used, n_tokens;
    std::vector<int64_t> first;
    std::vector<int64_t> slots;   // token · n_used + slot
    std::vector<int64_t> skipped; // tokens that are padding
    std::vector<int64_t> used;    // experts with rows

    groups(const executor & exec, const ggml_tensor * ids, int64_t n_expert)
        : n_used(ids->ne[0]), n_tokens(ids->ne[1]), first(size_t(n_expert) + 1) {
        std::vector<int64_t> counts(size_t(n_expert), 0);
        const auto each_slot = [&](const auto & found) {
            for (int64_t t = 0; t < n_tokens; t++) {
                const int64_t block = t / executor::padding_block * executor::padding_block;
                if (exec.is_padding(n_tokens, block, std::min(executor::padding_block, n_tokens - block))) continue;
                const char * row = static_cast<const char *>(ids->data) + size_t(t) * ids->nb[1];
                for (int64_t s = 0; s < n_used; s++) {
                    int32_t id;
                    std::memcpy(&id, row + size_t(s) * ids->nb[0], sizeof(id));
                    found(t, s, id);
                }
            }
        };
        for (int64_t block = 0; block < n_tokens; block += executor::padding_block) {
            const int64_t n = std::min(executor::padding_block, n_tokens - block);
            for (int64_t i = 0; i < n && exec.is_padding(n_tokens, block, n); i++) skipped.push_back(block + i);
        }
        each_slot([&](int64_t, int64_t, int32_t id) {
            if (id < 0 || id >= n_expert) {
                throw error("GRAPH_UNSUPPORTED", "expected experts below " + std::to_string(n_expert) +
                                                     " but received " + std::to_string(id));
            }
            counts[size_t(id)]++;
        });
        for (int64_t e = 0; e < n_expert; e++) {
            first[size_t(e) + 1] = first[size_t(e)] + padded(counts[size_t(e)], rows_of_unit);
            if (counts[size_t(e)] > 0) used.push_back(e);
        }
        slots.assign(size_t(first.back()), -1);
        std::vector<int64_t> next(first.begin(), first.end() - 1);
        each_slot([&](int64_t t, int64_t s, int32_t id) { slots[size_t(next[size_t(id)]++)] = t * n_used + s; });
        // largest first, so that the last pieces are small
        std::stable_sort(used.begin(), used.end(), [&](int64_t x, int64_t y) { return count(x) > count(y); });
    }
    int64_t count(int64_t e) const { return first[size_t(e) + 1] - first[size_t(e)]; }
    int64_t n_rows() const { return first.back(); }
    int64_t token(int64_t slot) const { return slot / n_used; }
};

// Row of a tensor [n, 1 or n_used, n_tokens] that a slot reads.
const float * row_of_slot(const ggml_tensor * t, const groups & g, int64_t slot) {
    return row_of(t, slot % g.n_used % t->ne[1], g.token(slot), 0);
}

ggml_tensor expert_of(const ggml_tensor * w, int64_t e) {
    ggml_tensor one = *w;
    one.ne[2] = 1;
    one.data = static_cast<char *>(w->data) + size_t(e) * w->nb[2];
    return one;
}

activation rows_of(const activation & all, int64_t first, int64_t n) {
    activation part = all;
    part.n = n;
    part.data = const_cast<void *>(all.operand(first).data);
    return part;
}

void store(const activation & to, int64_t row, int64_t column, float value) {
    void * at = const_cast<void *>(to.operand(row, column).data);
    if (to.type == gemm_type::bf16)
        *static_cast<uint16_t *>(at) = round_to_bf16(value);
    else
        *static_cast<float *>(at) = value;
}

// A factor [n, rank] of the pair of each expert: value (i, r) of expert e is at values[e · n · rank + i · step_i + r ·
// step_r].
struct factor {
    const float * values;
    int64_t n, rank, step_i, step_r;
    float scale;
};

// Copies the rows of every group from `from` to `to`, followed by their products with the factor of the expert.
void gather(executor & exec, const groups & g, const ggml_tensor * from, const factor & f, const activation & to) {
    struct piece {
        int64_t expert, row, n;
    };
    std::vector<piece> pieces;
    for (int64_t e : g.used) {
        for (int64_t row = 0; row < g.count(e); row += rows_at_once) {
            pieces.push_back({e, g.first[size_t(e)] + row, std::min(rows_at_once, g.count(e) - row)});
        }
    }
    exec.run(int64_t(pieces.size()), [&](int64_t i, int thread) {
        const piece & p = pieces[size_t(i)];
        for (int64_t row = p.row; row < p.row + p.n; row++) {
            const int64_t slot = g.slots[size_t(row)];
            if (slot < 0) {
                std::memset(const_cast<void *>(to.operand(row).data), 0, size_t(to.stride) * size_of(to.type));
            } else {
                convert_tokens(row_of_slot(from, g, slot), 0, f.n, to, row, 1);
            }
        }
        if (f.rank == 0) return;
        const float * values = f.values + p.expert * f.n * f.rank;
        gemm_operand right{values, f.step_i, f.step_r};
        if (to.type == gemm_type::bf16) {
            uint16_t * converted = exec.scratch(thread, 3).get<uint16_t>(f.n * f.rank);
            for (int64_t k = 0; k < f.n * f.rank; k++) converted[k] = round_to_bf16(values[k]);
            right.data = converted;
        }
        float * out = exec.scratch(thread, 4).get<float>(rows_at_once * f.rank);
        exec.products(thread).run(to.type, p.n, f.rank, f.n, to.operand(p.row), right, out, f.rank);
        for (int64_t row = 0; row < p.n; row++) {
            for (int64_t r = 0; r < f.rank; r++) store(to, p.row + row, f.n + r, f.scale * out[row * f.rank + r]);
        }
    });
}

int64_t rank_of(const expert_linear & e) { return e.a ? e.a->ne[1] : 0; }
factor down(const expert_linear & e) { // x -> scale · A x
    const int64_t k = e.w->ne[0];
    return {e.a ? floats(e.a) : nullptr, k, rank_of(e), 1, k, e.scale};
}
factor up(const expert_linear & e) { // dy -> scale · Bᵀ dy
    return {e.b ? floats(e.b) : nullptr, e.w->ne[1], rank_of(e), rank_of(e), 1, e.scale};
}

// Computes columns [column, column + n) of the product of an expert with its rows, including the second factor of its
// pair, and calls put(slot, column, n, values) for each row.
template <typename Put>
void multiply_expert(executor & exec, int thread, const expert_linear & e, const groups & g,
                     product_direction direction, const activation & rows, int64_t expert, int64_t column, int64_t n,
                     const Put & put) {
    const int64_t rank = rank_of(e), k = e.w->ne[0], m = e.w->ne[1], first = g.first[size_t(expert)];
    const ggml_tensor w = expert_of(e.w, expert);
    weight_product product{&w, direction};
    product.n_extra = rank;
    if (rank > 0 && direction == product_direction::forward) {
        product.extra = floats(e.b) + expert * rank * m;
        product.extra_row = 1;
        product.extra_column = rank;
    } else if (rank > 0) {
        product.extra = floats(e.a) + expert * rank * k;
        product.extra_row = k;
        product.extra_column = 1;
    }
    product.run_columns(exec, thread, rows_of(rows, first, g.count(expert)), column, n,
                        [&](int64_t row, int64_t count, const float * block) {
                            for (int64_t i = 0; i < count; i++) {
                                const int64_t slot = g.slots[size_t(first + row + i)];
                                if (slot >= 0) put(slot, column, n, block + i * n);
                            }
                        });
}

// The products of all experts; a piece of work is one panel of columns of one expert.
template <typename Put>
void multiply_experts(executor & exec, const expert_linear & e, const groups & g, product_direction direction,
                      const activation & rows, const Put & put) {
    const int64_t columns = direction == product_direction::forward ? e.w->ne[1] : e.w->ne[0];
    const int64_t width = weight_product{e.w, direction}.panel_width(exec, rows),
                  panels = (columns + width - 1) / width;
    exec.run(panels * int64_t(g.used.size()), [&](int64_t piece, int thread) {
        const int64_t column = piece % panels * width;
        multiply_expert(exec, thread, e, g, direction, rows, g.used[size_t(piece / panels)], column,
                        std::min(width, columns - column), put);
    });
}

// The same for the backward pass, where a token adds up the gradients of several experts: threads divide the columns,
// and each goes through the experts one after the other.
template <typename Begin, typename Put>
void add_experts(executor & exec, const expert_linear & e, const groups & g, const activation & rows,
                 const Begin & begin, const Put & put) {
    const int64_t columns = e.w->ne[0], wanted = 2 * exec.n_threads(); // pieces
    const int64_t unit = std::max<int64_t>(ggml_blck_size(e.w->type), packed_columns);
    const int64_t widest = weight_product{e.w, product_direction::backward}.panel_width(exec, rows);
    const int64_t width = std::clamp(padded((columns + wanted - 1) / wanted, unit), unit, widest);
    exec.run((columns + width - 1) / width, [&](int64_t piece, int thread) {
        const int64_t column = piece * width, n = std::min(width, columns - column);
        begin(column, n);
        for (int64_t expert : g.used) {
            multiply_expert(exec, thread, e, g, product_direction::backward, rows, expert, column, n, put);
        }
    });
}

void input_gradient(executor & exec, const expert_linear & e, const groups & g, const activation & dy,
                    const expert_gradients & to) {
    const int64_t k = e.w->ne[0], slots = e.x->ne[1];
    const auto add = [](float * out, const float * from, int64_t n) {
        for (int64_t i = 0; i < n; i++) out[i] += from[i];
    };
    if (slots == 1) {
        const auto begin = [&](int64_t column, int64_t n) {
            for (int64_t t = 0; t < g.n_tokens && !to.add_to_dx; t++)
                std::memset(to.dx + t * k + column, 0, size_t(n) * sizeof(float));
        };
        add_experts(exec, e, g, dy, begin, [&](int64_t slot, int64_t column, int64_t n, const float * from) {
            add(to.dx + g.token(slot) * k + column, from, n);
        });
        return;
    }
    if (!to.add_to_dx) {
        for (int64_t t : g.skipped) std::memset(to.dx + t * slots * k, 0, size_t(slots * k) * sizeof(float));
    }
    multiply_experts(exec, e, g, product_direction::backward, dy,
                     [&](int64_t slot, int64_t column, int64_t n, const float * from) {
                         float * out = to.dx + slot * k + column;
                         if (to.add_to_dx)
                             add(out, from, n);
                         else
                             std::memcpy(out, from, size_t(n) * sizeof(float));
                     });
}

gemm_operand turned(gemm_operand rows) { return {rows.data, 1, rows.row_stride}; }

// dW_e += dyᵀ x, a panel of W's rows at a time
void weight_gradient(executor & exec, const expert_linear & e, const groups & g, const activation & x,
                     const activation & dy, float * dw) {
    constexpr int64_t panel = 128;
    const int64_t k = e.w->ne[0], m = e.w->ne[1], panels = (m + panel - 1) / panel;
    exec.run(panels * int64_t(g.used.size()), [&](int64_t piece, int thread) {
        const int64_t expert = g.used[size_t(piece / panels)], end = g.first[size_t(expert) + 1];
        const int64_t from = piece % panels * panel, n_out = std::min(panel, m - from);
        for (int64_t row = g.first[size_t(expert)]; row < end; row += sum_at_once) {
            const int64_t n = std::min(sum_at_once, end - row);
            exec.products(thread).run(x.type, n_out, k, n, turned(dy.operand(row, from)), x.operand(row),
                                      dw + (expert * m + from) * k, k, true);
        }
    });
}

// dA_e += dtᵀ x and dB_e += dyᵀ t, from rows [x | t] and [dy | dt].
void pair_gradients(executor & exec, const expert_linear & e, const groups & g, const activation & x,
                    const activation & dy, const expert_gradients & to) {
    const int64_t rank = rank_of(e), k = e.w->ne[0], m = e.w->ne[1];
    exec.run(int64_t(g.used.size()), [&](int64_t piece, int thread) {
        const int64_t expert = g.used[size_t(piece)], end = g.first[size_t(expert) + 1];
        gemm & products = exec.products(thread);
        for (int64_t row = g.first[size_t(expert)]; row < end; row += sum_at_once) {
            const int64_t n = std::min(sum_at_once, end - row);
            if (to.da)
                products.run(x.type, rank, k, n, turned(dy.operand(row, m)), x.operand(row), to.da + expert * rank * k,
                             k, true);
            if (to.db)
                products.run(x.type, m, rank, n, turned(dy.operand(row)), x.operand(row, k), to.db + expert * rank * m,
                             rank, true);
        }
    });
}

}

// The rows of all groups: slots, and the padding of half a unit that a group has on average.
static int64_t expected_rows(const expert_linear & e) {
    const int64_t slots = e.ids->ne[0] * e.ids->ne[1];
    return slots + std::min(slots, e.w->ne[2]) * rows_of_unit / 2;
}

void expert_linear_forward(executor & exec, const expert_linear & e, ggml_tensor * y) {
    const groups g(exec, e.ids, e.w->ne[2]);
    const int64_t m = e.w->ne[1];
    float * to = static_cast<float *>(y->data);
    for (int64_t t : g.skipped) std::memset(to + t * g.n_used * m, 0, size_t(g.n_used * m) * sizeof(float));
    const activation rows = make_activation(exec.input_buffer(), exec.operands(), g.n_rows(), e.w->ne[0] + rank_of(e));
    gather(exec, g, e.x, down(e), rows);
    multiply_experts(exec, e, g, product_direction::forward, rows,
                     [&](int64_t slot, int64_t column, int64_t n, const float * from) {
                         std::memcpy(to + slot * m + column, from, size_t(n) * sizeof(float));
                     });
}

void expert_linear_back(executor & exec, const expert_linear & e, const ggml_tensor * dy, const expert_gradients & to) {
    const groups g(exec, e.ids, e.w->ne[2]);
    const activation dy_rows =
        make_activation(exec.shared_scratch(1), exec.operands(), g.n_rows(), e.w->ne[1] + rank_of(e));
    gather(exec, g, dy, up(e), dy_rows);
    if (to.dx) input_gradient(exec, e, g, dy_rows, to);
    if (!to.da && !to.db && !to.dw) return;
    const activation x_rows =
        make_activation(exec.input_buffer(), exec.operands(), g.n_rows(), e.w->ne[0] + rank_of(e));
    gather(exec, g, e.x, down(e), x_rows);
    if (to.da || to.db) pair_gradients(exec, e, g, x_rows, dy_rows, to);
    if (to.dw) weight_gradient(exec, e, g, x_rows, dy_rows, to.dw);
}

scratch_need expert_linear_scratch(const executor & exec, const expert_linear & e) {
    const activation rows = activation_shape(exec.operands(), expected_rows(e), e.w->ne[0] + rank_of(e));
    return {weight_product{e.w, product_direction::forward}.thread_bytes(exec, rows), bytes_of(rows), 0};
}

scratch_need expert_linear_back_scratch(const executor & exec, const expert_linear & e) {
    const activation x_rows = activation_shape(exec.operands(), expected_rows(e), e.w->ne[0] + rank_of(e)),
                     dy_rows = activation_shape(exec.operands(), expected_rows(e), e.w->ne[1] + rank_of(e));
    return {weight_product{e.w, product_direction::backward}.thread_bytes(exec, dy_rows), bytes_of(x_rows),
            bytes_of(dy_rows)};
}

}
