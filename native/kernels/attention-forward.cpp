#include "kernels/attention-blocks.h"

namespace llamatune {

namespace {

using namespace attention;

constexpr int64_t block_queries = 128; // of a head
constexpr int64_t block_rows    = 256; // of several heads that share their keys
constexpr int64_t block_keys    = 512;

// x = x · scale + slope · mask; the highest of all that was seen.
float scale_row(float * x, const float * mask, int64_t n, float scale, float slope, float highest) {
    float best[lanes];
    for (float & b : best) b = highest;
    const int64_t whole = n / lanes * lanes;
    if (mask) {
        for (int64_t i = 0; i < whole; i += lanes) {
            for (int64_t j = 0; j < lanes; j++) {
                x[i + j] = multiply_add(slope, mask[i + j], x[i + j] * scale);
                best[j] = x[i + j] > best[j] ? x[i + j] : best[j];
            }
        }
    } else {
        for (int64_t i = 0; i < whole; i += lanes) {
            for (int64_t j = 0; j < lanes; j++) {
                x[i + j] *= scale;
                best[j] = x[i + j] > best[j] ? x[i + j] : best[j];
            }
        }
    }
    for (int64_t i = whole; i < n; i++) {
        x[i] = x[i] * scale + (mask ? slope * mask[i] : 0.0f);
        best[0] = x[i] > best[0] ? x[i] : best[0];
    }
    for (float b : best) highest = b > highest ? b : highest;
    return highest;
}

// out = exp(x - highest); their sum.
template <typename T> float exponentials(const float * x, T * out, int64_t n, float highest) {
    float sums[lanes] = {};
    const int64_t whole = n / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) {
        float e[lanes];
        for (int64_t j = 0; j < lanes; j++) e[j] = vector_exp(x[i + j] - highest);
        for (int64_t j = 0; j < lanes; j++) sums[j] += e[j];
        for (int64_t j = 0; j < lanes; j++) store_operand(out + i + j, e[j]);
    }
    for (int64_t i = whole; i < n; i++) {
        const float e = vector_exp(x[i] - highest);
        sums[0] += e;
        store_operand(out + i, e);
    }
    return sum_of_lanes(sums);
}

void multiply(float * x, int64_t n, float factor) {
    for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

// Where a thread keeps what it works on.
template <typename T> struct workspace {
    explicit workspace(const attention_shape & s, int64_t rows) {
        keys = places.add<T>(s.n_keys * s.head_size);
        values = places.add<T>(s.n_keys * s.value_size);
        queries = places.add<T>(rows * s.head_size);
        scores = places.add<float>(rows * block_keys);
        weights = places.add<T>(rows * block_keys);
        sums = places.add<float>(rows * s.value_size);
        highest = places.add<float>(rows);
        total = places.add<float>(rows);
        mask_row = places.add<float>(block_keys);
    }
    layout places;
    size_t keys, values, queries, scores, weights, sums, highest, total, mask_row;
};

template <typename T> void run(const attention_inputs & in, const attention_rows & out, float * log_sums, executor & on) {
    const attention_shape & s = in.shape;
    const int64_t group = s.n_heads / s.n_key_heads;
    const int64_t heads_at_once = std::min(group, block_rows / block_queries);
    const int64_t head_blocks = (group + heads_at_once - 1) / heads_at_once;
    const int64_t query_blocks = (s.n_queries + block_queries - 1) / block_queries;
    const int64_t blocks = head_blocks * query_blocks;
    // the keys of a head are converted once, unless there are too few of them to keep all threads busy
    const int64_t pairs = s.n_streams * s.n_key_heads;
    const int64_t parts = std::min<int64_t>(blocks, (4 * on.n_threads() + pairs - 1) / pairs);
    const workspace<T> space(s, heads_at_once * block_queries);

    on.run(pairs * parts, [&](int64_t piece, int thread) {
        const int64_t part = piece % parts, key_head = piece / parts % s.n_key_heads, stream = piece / parts / s.n_key_heads;
        char * base = on.own(thread, 0).of<char>(int64_t(space.places.bytes()));
        const auto place = [&](size_t at) { return reinterpret_cast<float *>(base + at); };
        T * keys = reinterpret_cast<T *>(base + space.keys), * values = reinterpret_cast<T *>(base + space.values);
        T * queries = reinterpret_cast<T *>(base + space.queries), * weights = reinterpret_cast<T *>(base + space.weights);
        float * scores = place(space.scores), * sums = place(space.sums), * highest = place(space.highest),
              * total = place(space.total), * mask_row = place(space.mask_row);
        gemm & products = on.products(thread);
        const mask_view mask(in, stream);
        std::vector<key_run> runs;
        std::vector<segment> segments;

        copy_rows(in.k.at(0, key_head, stream), in.k.row, s.n_keys, s.head_size, keys);
        copy_rows(in.v.at(0, key_head, stream), in.v.row, s.n_keys, s.value_size, values);
        for (int64_t block = part; block < blocks; block += parts) {
            const int64_t query = block / head_blocks * block_queries, n = std::min(block_queries, s.n_queries - query);
            const int64_t first_head = key_head * group + block % head_blocks * heads_at_once;
            const int64_t n_heads = std::min(heads_at_once, (key_head + 1) * group - first_head), n_rows = n_heads * n;
            for (int64_t h = 0; h < n_heads; h++) {
                copy_rows(in.q.at(query, first_head + h, stream), in.q.row, n, s.head_size, queries + h * n * s.head_size);
                const float sink = in.sinks ? in.sinks[first_head + h] : -INFINITY; // counts as a key without a value
                std::fill_n(highest + h * n, n, sink);
                std::fill_n(total + h * n, n, sink == -INFINITY ? 0.0f : 1.0f);
            }
            mask.runs(query, n, 0, s.n_keys, block_keys, runs);
            if (runs.empty()) std::fill_n(sums, n_rows * s.value_size, 0.0f);
            for (size_t r = 0; r < runs.size(); r++) {
                const key_run run = runs[r];
                products.run(type_of<T>(), n_rows, run.count, s.head_size, rows(queries, s.head_size),
                             columns(keys + run.first * s.head_size, s.head_size), scores, run.count);
                for (int64_t i = 0; i < n; i++) {
                    if (i == 0 || (query + i) % tile == 0) mask.segments(query + i, run, segments);
                    for (int64_t h = 0; h < n_heads; h++) {
                        const int64_t row = h * n + i;
                        float * x = scores + row * run.count;
                        const float before = highest[row], steep = slope(s, first_head + h);
                        float now = before;
                        for (const segment & part_of_row : segments) {
                            const float * bias = part_of_row.masked ? mask.row(query + i, run.first + part_of_row.first, part_of_row.count, mask_row) : nullptr;
                            now = scale_row(x + part_of_row.first, bias, part_of_row.count, s.scale, steep, now);
                        }
                        const float shift = now == -INFINITY ? 0.0f : now;
                        const float sum = exponentials(x, weights + row * run.count, run.count, shift);
                        const float old = before == now ? 1.0f : vector_exp(before - shift);
                        highest[row] = now;
                        total[row] = total[row] * old + sum;
                        if (r > 0 && old != 1.0f) multiply(sums + row * s.value_size, s.value_size, old);
                    }
                }
                products.run(type_of<T>(), n_rows, s.value_size, run.count, rows(weights, run.count),
                             rows(values + run.first * s.value_size, s.value_size), sums, s.value_size, r > 0);
            }
            for (int64_t row = 0; row < n_rows; row++) {
                const int64_t head = first_head + row / n, i = query + row % n;
                const bool nothing = total[row] == 0.0f;
                const float factor = nothing ? 0.0f : 1.0f / total[row];
                float * to = out.at(i, head, stream);
                for (int64_t j = 0; j < s.value_size; j++) to[j] = sums[row * s.value_size + j] * factor;
                log_sums[(stream * s.n_heads + head) * s.n_queries + i] = nothing ? INFINITY : highest[row] + std::log(total[row]);
            }
        }
    });
}

}

void attention_forward(const attention_inputs & in, const attention_rows & out, float * log_sums, executor & on) {
    if (on.operands() == gemm_type::bf16) {
        run<uint16_t>(in, out, log_sums, on);
    } else {
        run<float>(in, out, log_sums, on);
    }
}

}
