#include "cpu/kernels/output-loss.h"

#include "cpu/kernels/stream.h"
#include "cpu/kernels/vector-math.h"
#include "cpu/kernels/weight-product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace llamatune {

namespace {

constexpr int64_t lanes = floats_in_vector;
constexpr int64_t columns_at_once = 16; // per piece of work on all panels
constexpr int64_t rows_at_once = 2048;  // of W, in the backward pass

// Of a row of logits in one panel of W: Σ exp(x - highest), and Σ x if it is needed.
struct row_sums {
    float highest, exponentials, logits;
};

template <bool with_logits>
row_sums sums_of_row(const float * x, int64_t n) {
    const int64_t whole = n / lanes * lanes;
    float_vector best = all_lanes(x[0]);
    for (int64_t i = 0; i < whole; i += lanes) best = highest_of(load_floats(x + i), best);
    row_sums sums{highest_lane(best), 0, 0};
    for (int64_t i = whole; i < n; i++) sums.highest = std::max(sums.highest, x[i]);
    float_vector total{}, plain{};
    for (int64_t i = 0; i < whole; i += lanes) {
        const float_vector logits = load_floats(x + i);
        total += exp_of(logits - sums.highest);
        if (with_logits) plain += logits;
    }
    sums.exponentials = sum_of_lanes(total);
    sums.logits = sum_of_lanes(plain);
    for (int64_t i = whole; i < n; i++) {
        sums.exponentials += vector_exp(x[i] - sums.highest);
        sums.logits += x[i];
    }
    return sums;
}

// out = factor · exp(x - highest) + offset
template <typename T>
void gradient_of_row(const float * x, int64_t n, float highest, float factor, float offset, T * out) {
    const int64_t whole = n / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) {
        store_operand(out + i, factor * exp_of(load_floats(x + i) - highest) + offset);
    }
    for (int64_t i = whole; i < n; i++) store_operand(out + i, factor * vector_exp(x[i] - highest) + offset);
}

// What the forward pass keeps: the logits, and for each column the highest logit and 1 / Σ exp(logit - highest).
struct kept_values {
    kept_values(const output_loss & in, float * data)
        : logits(data), highest(data ? data + in.w->ne[1] * in.hidden->ne[1] : nullptr),
          inverse_sums(data ? highest + in.hidden->ne[1] : nullptr) {}
    float *logits, *highest, *inverse_sums;
};

// The gradient of the logits [row, row + count) of a column, as operands.
template <typename T>
void gradient_of_column(const output_loss & in, const kept_values & kept, float weight, int64_t column, int64_t row,
                        int64_t count, T * out) {
    const int64_t n_vocab = in.w->ne[1], target = in.targets[column] - row;
    const float * x = kept.logits + column * n_vocab + row;
    const float highest = kept.highest[column], factor = weight * kept.inverse_sums[column];
    const float offset = -weight * in.label_smoothing / float(n_vocab);
    gradient_of_row(x, count, highest, factor, offset, out);
    if (target < 0 || target >= count) return;
    const float p = factor * vector_exp(x[target] - highest) + offset;
    store_operand(out + target, p - weight * (1.0f - in.label_smoothing));
}

}

int64_t output_loss_values(int64_t n_vocab, int64_t columns) { return (n_vocab + 2) * columns; }

void output_loss_forward(executor & exec, const output_loss & in, float * losses, float * is_best, float * data) {
    const int64_t n_embd = in.w->ne[0], n_vocab = in.w->ne[1], n = in.hidden->ne[1];
    const kept_values kept(in, data);
    const activation rows = make_activation(exec.input_buffer(), exec.operands(), n, n_embd);
    convert_rows(exec, static_cast<const float *>(in.hidden->data), int64_t(in.hidden->nb[1] / sizeof(float)), n_embd,
                 rows);
    const weight_product product{in.w, product_direction::forward};
    const int64_t width = product.panel_width(exec, rows), n_panels = (n_vocab + width - 1) / width;
    const uint16_t * kept_w = product.kept_panels(exec, rows);
    row_sums * sums = exec.shared_scratch(0).get<row_sums>(n_panels * n); // [n_panels, n]
    float * target_logits = exec.shared_scratch(1).get<float>(n);
    exec.run(n_panels, [&](int64_t panel, int thread) {
        const int64_t row = panel * width, count = std::min(width, n_vocab - row);
        product.run_columns(
            exec, thread, rows, row, count,
            [&](int64_t first, int64_t n_block, const float * block) {
                for (int64_t column = first; column < first + n_block; column++, block += count) {
                    sums[panel * n + column] =
                        in.label_smoothing > 0 ? sums_of_row<true>(block, count) : sums_of_row<false>(block, count);
                    const int64_t target = in.targets[column] - row;
                    if (target >= 0 && target < count) target_logits[column] = block[target];
                    if (kept.logits) stream_floats(kept.logits + column * n_vocab + row, block, count);
                }
            },
            kept_w);
        end_stream();
    });
    exec.run((n + columns_at_once - 1) / columns_at_once, [&](int64_t piece, int) {
        for (int64_t column = piece * columns_at_once; column < std::min(n, (piece + 1) * columns_at_once); column++) {
            float highest = sums[column].highest;
            for (int64_t p = 1; p < n_panels; p++) highest = std::max(highest, sums[p * n + column].highest);
            double sum = 0, logits = 0;
            for (int64_t p = 0; p < n_panels; p++) {
                const row_sums & part = sums[p * n + column];
                sum += double(part.exponentials) * double(vector_exp(part.highest - highest));
                logits += double(part.logits);
            }
            const double target = double(target_logits[column]);
            const double above_mean = target - logits / double(n_vocab);
            losses[column] = float(double(highest) - target + std::log(sum) + double(in.label_smoothing) * above_mean);
            is_best[column] = target >= double(highest);
            if (!kept.logits) continue;
            kept.highest[column] = highest;
            kept.inverse_sums[column] = float(1.0 / sum);
        }
    });
}

void output_loss_backward(executor & exec, const output_loss & in, const float * data, const float * weights,
                          float * dhidden) {
    const int64_t n_embd = in.w->ne[0], n_vocab = in.w->ne[1], n = in.hidden->ne[1];
    const kept_values kept(in, const_cast<float *>(data)); // which is only read
    const weight_product product{in.w, product_direction::backward};
    for (int64_t row = 0; row < n_vocab; row += rows_at_once) {
        const int64_t count = std::min(rows_at_once, n_vocab - row);
        const activation d = make_activation(exec.input_buffer(), exec.operands(), n, count);
        exec.run((n + columns_at_once - 1) / columns_at_once, [&](int64_t piece, int) {
            for (int64_t column = piece * columns_at_once; column < std::min(n, (piece + 1) * columns_at_once);
                 column++) {
                char * to = static_cast<char *>(d.data) + size_t(column * d.stride) * size_of(d.type);
                if (d.type == gemm_type::bf16) {
                    gradient_of_column(in, kept, weights[column], column, row, count, reinterpret_cast<uint16_t *>(to));
                } else {
                    gradient_of_column(in, kept, weights[column], column, row, count, reinterpret_cast<float *>(to));
                }
                std::memset(to + size_t(count) * size_of(d.type), 0, size_t(d.stride - count) * size_of(d.type));
            }
        });
        product.run_part(exec, d, row, dhidden, n_embd, row > 0);
    }
}

scratch_need output_loss_forward_scratch(const executor & exec, const ggml_tensor * w, int64_t columns) {
    const weight_product product{w, product_direction::forward};
    const activation rows = activation_shape(exec.operands(), columns, w->ne[0]);
    const int64_t width = product.panel_width(exec, rows), n_panels = (w->ne[1] + width - 1) / width;
    scratch_need need{product.thread_bytes(exec, rows), bytes_of(rows),
                      columns * (n_panels * int64_t(sizeof(row_sums)) + int64_t(sizeof(float)))};
    add_packed(need, product, rows);
    return need;
}

scratch_need output_loss_backward_scratch(const executor & exec, const ggml_tensor * w, int64_t columns) {
    const weight_product product{w, product_direction::backward};
    scratch_need need;
    for (int64_t row = 0; row < w->ne[1]; row += rows_at_once) {
        const activation d = activation_shape(exec.operands(), columns, std::min(rows_at_once, w->ne[1] - row));
        need.merge({product.thread_bytes(exec, d), bytes_of(d), 0});
        add_packed(need, product, d, row);
    }
    return need;
}

}
