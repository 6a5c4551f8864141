#include "cpu/kernels/weight-product.h"
#include "cpu/kernels/vector-math.h"

#include "cpu/kernels/convert.h"
#include "cpu/kernels/stream.h"
#include "cpu/kernels/tiled-weights.h"
#include "cpu/kernels/weight-cache.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace llamatune {

namespace {

constexpr int64_t tokens_at_once = 64; // per piece of a conversion

char * cell(const activation & a, int64_t token, int64_t column) {
    return static_cast<char *>(a.data) + size_t(token * a.stride + column) * size_of(a.type);
}

// Values of the weight's rows [row, row + n_rows) and columns [column, column + n_columns), as `type`.
void read_weight(const ggml_tensor * w, gemm_type type, int64_t row, int64_t n_rows, int64_t column, int64_t n_columns,
                 void * out) {
    const char * from = static_cast<const char *>(w->data) + size_t(row) * w->nb[1] +
                        size_t(column / ggml_blck_size(w->type)) * w->nb[0];
    if (type == gemm_type::bf16) {
        rows_to_bf16(w->type, from, w->nb[1], n_columns, n_rows, static_cast<uint16_t *>(out));
    } else {
        rows_to_f32(w->type, from, w->nb[1], n_columns, n_rows, static_cast<float *>(out));
    }
}

// One thread's panel of W': `width` columns from `column`, inner rows [first, first + count) and the extra rows after
// them.
struct panel {
    const weight_product & p;
    gemm_type type;
    int64_t first, count, n_extra, column, width;
    int64_t inner() const { return count + n_extra; }
    float extra(int64_t r, int64_t c) const { return p.extra[r * p.extra_row + (column + c) * p.extra_column]; }
};

// Packed, from a weight in tiles, which are close to that layout.
void pack_forward_tiles(const panel & b, uint16_t * out) {
    const int64_t depth = padded(b.inner(), packed_rows);
    for (int64_t c = 0; c < b.width; c += packed_columns) {
        uint16_t * block = out + c * depth;
        pack_tiles(b.p.weight, b.column + c, b.first, b.count, block);
        for (int64_t k = b.count; k < depth; k++) {
            for (int64_t i = 0; i < packed_columns; i++) {
                block[packed_index(depth, k, i)] =
                    k < b.inner() ? round_to_bf16(b.extra(k - b.count, c + i)) : uint16_t(0);
            }
        }
    }
}

// Packed: rows of W are columns of W'. 32-bit pairs of a row go 64 apart.
void pack_forward(const panel & b, scratch_buffer & space, uint16_t * out) {
    if (is_tiled(b.p.weight)) return pack_forward_tiles(b, out);
    constexpr int64_t step = 256; // values of a row at a time: 64 rows of them stay in the first-level cache
    uint16_t * rows = space.get<uint16_t>(packed_columns * step);
    const int64_t depth = padded(b.inner(), packed_rows);
    for (int64_t c = 0; c < b.width; c += packed_columns) {
        const int64_t n = std::min(packed_columns, b.width - c);
        uint32_t * block = reinterpret_cast<uint32_t *>(out + c * depth);
        for (int64_t k = 0; k < depth; k += step) {
            const int64_t wide = std::min(step, depth - k), from_weight = std::clamp<int64_t>(b.count - k, 0, wide);
            if (n < packed_columns || from_weight < wide)
                std::memset(rows, 0, size_t(packed_columns * step) * sizeof(uint16_t));
            if (from_weight == step) {
                read_weight(b.p.weight, gemm_type::bf16, b.column + c, n, b.first + k, step, rows);
            } else {
                for (int64_t i = 0; i < n && from_weight > 0; i++) {
                    read_weight(b.p.weight, gemm_type::bf16, b.column + c + i, 1, b.first + k, from_weight,
                                rows + i * step);
                }
                for (int64_t r = std::max<int64_t>(0, k - b.count); r < b.n_extra && b.count + r < k + wide; r++) {
                    for (int64_t i = 0; i < n; i++) rows[i * step + b.count + r - k] = round_to_bf16(b.extra(r, c + i));
                }
            }
            const uint32_t * pairs = reinterpret_cast<const uint32_t *>(rows);
            for (int64_t pair = 0; pair < wide / 2; pair++) {
                uint32_t * to = block + (k / 2 + pair) * packed_columns;
                for (int64_t i = 0; i < packed_columns; i++) to[i] = pairs[i * (step / 2) + pair];
            }
        }
    }
}

// Rows k and k + 1 of the packed layout, from rows of `wide` values.
void interleave_pair(const uint16_t * even, const uint16_t * odd, int64_t k, int64_t wide, int64_t depth,
                     uint16_t * out) {
    for (int64_t c = 0; c < wide; c += packed_columns) {
        uint16_t * to = out + c * depth + k * packed_columns;
        for (int64_t i = 0; i < packed_columns; i++) {
            to[2 * i] = even[c + i];
            to[2 * i + 1] = odd[c + i];
        }
    }
}

// Packed: rows of W are rows of W'. Two rows are interleaved.
void pack_backward(const panel & b, scratch_buffer & space, uint16_t * out) {
    const int64_t depth = padded(b.inner(), packed_rows), wide = padded(b.width, packed_columns);
    uint16_t * rows = space.get<uint16_t>(2 * wide);
    for (int64_t k = 0; k < depth; k += 2) {
        if (b.width < wide || k + 2 > b.count) std::memset(rows, 0, size_t(2 * wide) * sizeof(uint16_t));
        for (int64_t i = 0; i < 2; i++) {
            const int64_t r = k + i - b.count;
            if (r < 0) {
                read_weight(b.p.weight, gemm_type::bf16, b.first + k + i, 1, b.column, b.width, rows + i * wide);
            } else if (r < b.n_extra) {
                for (int64_t c = 0; c < b.width; c++) rows[i * wide + c] = round_to_bf16(b.extra(r, c));
            }
        }
        interleave_pair(rows, rows + wide, k, wide, depth, out);
    }
}

void pack(const panel & b, scratch_buffer & space, uint16_t * out) {
    (b.p.direction == product_direction::forward ? pack_forward : pack_backward)(b, space, out);
}

// As rows, for products that read B as it is: W's own rows forward, W' 's rows backward.
template <typename T>
gemm_operand plain(const panel & b, scratch_buffer & space) {
    const auto as_type = [](float v) {
        if constexpr (sizeof(T) == 2)
            return round_to_bf16(v);
        else
            return v;
    };
    if (b.p.direction == product_direction::forward) {
        T * rows = space.get<T>(b.width * b.inner());
        for (int64_t c = 0; c < b.width; c++) {
            read_weight(b.p.weight, b.type, b.column + c, 1, b.first, b.count, rows + c * b.inner());
            for (int64_t r = 0; r < b.n_extra; r++) rows[c * b.inner() + b.count + r] = as_type(b.extra(r, c));
        }
        return {rows, 1, b.inner()};
    }
    T * rows = space.get<T>(b.width * b.inner());
    read_weight(b.p.weight, b.type, b.first, b.count, b.column, b.width, rows);
    for (int64_t r = 0; r < b.n_extra; r++) {
        for (int64_t c = 0; c < b.width; c++) rows[(b.count + r) * b.width + c] = as_type(b.extra(r, c));
    }
    return {rows, b.width, 1};
}

void zero_rows(float * to, int64_t n_rows, int64_t n, int64_t stride) {
    for (int64_t row = 0; row < n_rows; row++) std::memset(to + row * stride, 0, size_t(n) * sizeof(float));
}

// Copies a block of the result from the memory of the thread to the result.
void move_block(const float * from, int64_t n_rows, int64_t n, float * to, int64_t stride, bool accumulate) {
    for (int64_t row = 0; row < n_rows; row++, from += n, to += stride) {
        if (accumulate) {
            for (int64_t i = 0; i < n; i++) to[i] += from[i];
        } else {
            stream_floats(to, from, n);
        }
    }
}

}

void interleave_rows(const uint16_t * rows, int64_t stride, int64_t n, int64_t width, uint16_t * out) {
    const int64_t depth = padded(n, packed_rows), wide = padded(width, packed_columns);
    std::vector<uint16_t> edge(size_t(width < wide || n < depth ? 2 * wide : 0)); // for partly filled blocks
    for (int64_t k = 0; k < depth; k += 2) {
        if (width == wide && k + 2 <= n) {
            interleave_pair(rows + k * stride, rows + (k + 1) * stride, k, wide, depth, out);
            continue;
        }
        std::fill(edge.begin(), edge.end(), uint16_t(0));
        for (int64_t i = 0; i < 2 && k + i < n; i++)
            std::memcpy(edge.data() + i * wide, rows + (k + i) * stride, size_t(width) * sizeof(uint16_t));
        interleave_pair(edge.data(), edge.data() + wide, k, wide, depth, out);
    }
}

activation activation_shape(gemm_type type, int64_t n, int64_t width) {
    return {type, n, width, padded(width, packed_rows), nullptr};
}

activation make_activation(scratch_buffer & in, gemm_type type, int64_t n, int64_t width) {
    activation a = activation_shape(type, n, width);
    a.data = in.get<char>(bytes_of(a));
    return a;
}

void convert_tokens(const float * from, int64_t row_stride, int64_t count, const activation & to, int64_t token,
                    int64_t n) {
    for (int64_t i = token; i < token + n; i++) {
        char * row = cell(to, i, 0);
        if (to.type == gemm_type::bf16) {
            rows_to_bf16(GGML_TYPE_F32, from + i * row_stride, 0, count, 1, reinterpret_cast<uint16_t *>(row));
        } else {
            std::memcpy(row, from + i * row_stride, size_t(count) * sizeof(float));
        }
        std::memset(row + size_t(count) * size_of(to.type), 0, size_t(to.stride - count) * size_of(to.type));
    }
}

void convert_rows(executor & exec, const float * from, int64_t row_stride, int64_t count, const activation & to) {
    exec.run((to.n + tokens_at_once - 1) / tokens_at_once, [&](int64_t piece, int) {
        const int64_t token = piece * tokens_at_once;
        convert_tokens(from, row_stride, count, to, token, std::min(tokens_at_once, to.n - token));
    });
}

void weight_product::run(executor & exec, const activation & x, float * result, int64_t result_stride,
                         bool accumulate) const {
    run_part(exec, x, 0, result, result_stride, accumulate);
}

// Blocks that were fastest where the second-level cache has 2 MB: a panel of about 1 MB, fewer tokens for longer rows.
// The width of a panel is a multiple of the block size of the weight's type if blocks are along the columns.
int64_t weight_product::panel_width(const executor & exec, const activation & x) const {
    const int64_t width =
        x.stride * int64_t(size_of(x.type)) <= 4300 && n_columns() / 256 >= exec.n_threads() ? 256 : 128;
    return direction == product_direction::backward ? padded(width, ggml_blck_size(weight->type)) : width;
}

namespace {

int64_t tokens_of_block(const activation & x) { return x.stride <= 1536 ? 128 : 64; }

}

int64_t weight_product::thread_bytes(const executor & exec, const activation & x) const {
    const int64_t width = padded(panel_width(exec, x), packed_columns);
    return width * x.stride * int64_t(size_of(x.type)) + tokens_of_block(x) * width * int64_t(sizeof(float));
}

namespace {

// A panel as the right-hand side of products, in the layout that they read.
class right_hand {
public:
    // `kept`: of kept_panels(), or null
    right_hand(executor & exec, int thread, const panel & b, int64_t columns, const uint16_t * kept)
        : products_(exec.products(thread)), b_(b),
          packs_(b.type == gemm_type::bf16 && gemm_packs_bf16() && columns % packed_columns == 0) {
        if (kept) {
            packed_ = kept + b.column * padded(b.inner(), packed_rows);
        } else if (packs_) {
            uint16_t * packed =
                exec.scratch(thread, 1).get<uint16_t>(padded(b.width, packed_columns) * padded(b.inner(), packed_rows));
            pack(b, exec.scratch(thread, 0), packed);
            packed_ = packed;
        } else {
            plain_ = b.type == gemm_type::bf16 ? plain<uint16_t>(b, exec.scratch(thread, 1))
                                               : plain<float>(b, exec.scratch(thread, 1));
        }
    }
    bool packs() const { return packs_; }
    // tokens [token, token + n) of x; packed products need a dense result and cannot accumulate
    void multiply(const activation & x, int64_t token, int64_t n, float * to, int64_t stride, bool accumulate) const {
        if (packs_) {
            products_.run_packed(n, b_.width, x.stride, static_cast<const uint16_t *>(x.operand(token).data), packed_,
                                 to);
        } else {
            products_.run(x.type, n, b_.width, b_.inner(), x.operand(token), plain_, to, stride, accumulate);
        }
    }

private:
    gemm & products_;
    panel b_;
    bool packs_;
    const uint16_t * packed_ = nullptr;
    gemm_operand plain_{};
};

}

int64_t weight_product::unit_columns() const {
    return direction == product_direction::backward ? padded(packed_columns, ggml_blck_size(weight->type))
                                                    : packed_columns;
}

const uint16_t * weight_product::kept_panels(executor & exec, const activation & x, int64_t first) const {
    const auto key = exec.kept_weights().enabled() ? packed(x, first) : std::nullopt;
    if (!key) return nullptr;
    weight_cache::panels & kept = exec.kept_weights().find(*key);
    uint16_t * values = kept.memory.get<uint16_t>(key->n_values());
    const int64_t columns = key->columns, count = std::min(x.width, n_inner() - first), added = x.width - count;
    if (kept.filled && added == 0) return values;
    const int64_t unit = unit_columns();
    exec.run((columns + unit - 1) / unit, [&](int64_t piece, int thread) {
        const int64_t begin = piece * unit, end = std::min(begin + unit, columns);
        if (!kept.filled) {
            pack({*this, x.type, first, count, added, begin, end - begin}, exec.scratch(thread, 0),
                 values + begin * key->depth);
            return;
        }
        // the extra rows are trained
        for (int64_t r = 0; r < added; r++) {
            for (int64_t c = begin; c < end; c++) {
                values[packed_index(key->depth, count + r, c)] = round_to_bf16(extra[r * extra_row + c * extra_column]);
            }
        }
    });
    kept.filled = true;
    return values;
}

void weight_product::run_columns(executor & exec, int thread, const activation & x, int64_t column, int64_t width,
                                 const taker & take, const uint16_t * kept) const {
    const int64_t count = std::min(x.width, n_inner());
    const right_hand right(exec, thread, {*this, x.type, 0, count, x.width - count, column, width}, n_columns(), kept);
    const int64_t tokens = tokens_of_block(x);
    float * block = exec.scratch(thread, 2).get<float>(tokens * width);
    for (int64_t token = 0; token < x.n; token += tokens) {
        const int64_t n = std::min(tokens, x.n - token);
        right.multiply(x, token, n, block, width, false);
        take(token, n, block);
    }
}

namespace {

// A piece of a product: all columns of a panel for some of the tokens.
struct product_piece {
    int64_t column, width, token, n_tokens;
};

// Divides a product into pieces that keep all threads busy for the same time: whole panels, narrower ones for the rest
// and, where columns are left, pieces of a panel's tokens. `unit` columns belong together.
std::vector<product_piece> pieces_of(int64_t columns, int64_t tokens, int64_t panel, int64_t unit, int64_t n_threads,
                                     int64_t block) {
    std::vector<product_piece> pieces;
    int64_t column = 0;
    const auto add = [&](int64_t count, int64_t width, int64_t parts) {
        const int64_t step = padded((tokens + parts - 1) / parts, block);
        for (int64_t i = 0; i < count; i++, column += width) {
            for (int64_t token = 0; token < tokens; token += step) {
                pieces.push_back({column, std::min(width, columns - column), token, std::min(step, tokens - token)});
            }
        }
    };
    const int64_t whole_rounds = columns / (panel * n_threads);
    add(whole_rounds * n_threads, panel, 1);
    int64_t units = (columns - column + unit - 1) / unit;
    if (units >= n_threads) add(n_threads, units / n_threads * unit, 1);
    units %= n_threads;
    if (units == 0) return pieces;
    // Every part of the tokens converts its panel again, which takes as long as multiplying this many tokens.
    constexpr int64_t tokens_of_conversion = 128;
    const auto time_with = [&](int64_t parts) {
        return (units * parts + n_threads - 1) / n_threads * (tokens_of_conversion + tokens / parts);
    };
    int64_t best = 1;
    for (int64_t parts = 2; parts <= n_threads; parts++) {
        if (time_with(parts) < time_with(best)) best = parts;
    }
    add(units, unit, best);
    return pieces;
}

}

void weight_product::run_part(executor & exec, const activation & x, int64_t first, float * result,
                              int64_t result_stride, bool accumulate) const {
    const int64_t columns = n_columns(), inner = x.width;
    const int64_t count = std::min(inner, n_inner() - first), added = inner - count, tokens = tokens_of_block(x);
    const uint16_t * kept = kept_panels(exec, x, first);
    const int64_t unit = unit_columns();
    const auto pieces = pieces_of(columns, x.n, panel_width(exec, x), unit, exec.n_threads(), tokens);
    exec.run(int64_t(pieces.size()), [&](int64_t i, int thread) {
        const product_piece & piece = pieces[size_t(i)];
        const panel b{*this, x.type, first, count, added, piece.column, piece.width};
        const right_hand right(exec, thread, b, columns, kept);
        const int64_t end = piece.token + piece.n_tokens;
        int64_t n = 0;
        for (int64_t token = piece.token; token < end; token += n) {
            n = std::min(tokens, end - token);
            float * to = result + token * result_stride + piece.column;
            if (tokens_of_batch) {
                const int64_t head = std::min(n, executor::padding_block);
                if (exec.is_padding(x.n, token, head) != exec.is_padding(x.n, token, n))
                    n = head; // only one half is padding
                if (exec.is_padding(x.n, token, n)) {
                    if (!accumulate) zero_rows(to, n, b.width, result_stride);
                    continue;
                }
            }
            const bool in_place = !right.packs() || (!accumulate && result_stride == b.width);
            float * block = in_place ? to : exec.scratch(thread, 2).get<float>(n * b.width);
            right.multiply(x, token, n, block, result_stride, accumulate);
            if (!in_place) move_block(block, n, b.width, to, result_stride, accumulate);
        }
        end_stream();
    });
}

}
