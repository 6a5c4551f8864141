#include "cpu/kernels/attention-blocks.h"
#include "cpu/kernels/stream.h"

namespace llamatune {

namespace {

using namespace attention;

constexpr int64_t block_queries = 128; // of a head
constexpr int64_t block_rows = 256;    // of several heads that share their keys
constexpr int64_t block_keys = 512;

// x += bias · mask; the highest of each lane so far.
float_vector add_mask(float * x, const float * mask, int64_t n, float bias, float_vector highest) {
    for (int64_t i = 0; i < n; i += lanes) {
        const float_vector sum = multiply_add(load_floats(mask + i), all_lanes(bias), load_floats(x + i));
        store_floats(x + i, sum);
        highest = highest_of(sum, highest);
    }
    return highest;
}

float_vector highest_of_row(const float * x, int64_t n, float_vector highest) {
    float_vector other = highest; // two chains
    int64_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
        highest = highest_of(load_floats(x + i), highest);
        other = highest_of(load_floats(x + i + lanes), other);
    }
    if (i < n) highest = highest_of(load_floats(x + i), highest);
    return highest_of(highest, other);
}

// out = exp(scale · x - shift); added to the sums of each lane.
template <typename T>
float_vector exponentials(const float * x, T * out, int64_t n, float scale, float shift, float_vector sums) {
    for (int64_t i = 0; i < n; i += lanes) {
        const float_vector e = exp_of(multiply_add(load_floats(x + i), all_lanes(scale), all_lanes(-shift)));
        store_operand(out + i, e);
        sums += e;
    }
    return sums;
}

void multiply(float * x, int64_t n, float factor) {
    for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

// Where a thread keeps what it works on.
template <typename T>
struct workspace {
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

template <typename T>
void run(const attention_inputs & in, const attention_rows & out, float * log_sums, executor & exec) {
    const attention_shape & s = in.shape;
    const int64_t group = s.n_heads / s.n_key_heads;
    const int64_t heads_at_once = std::min(group, block_rows / block_queries);
    const int64_t head_blocks = (group + heads_at_once - 1) / heads_at_once;
    const int64_t query_blocks = (s.n_queries + block_queries - 1) / block_queries;
    const int64_t blocks = head_blocks * query_blocks;
    // the keys of a head are converted once, unless there are too few of them to keep all threads busy
    const int64_t pairs = s.n_streams * s.n_key_heads;
    const int64_t parts = std::min<int64_t>(blocks, (4 * exec.n_threads() + pairs - 1) / pairs);
    const workspace<T> space(s, heads_at_once * block_queries);

    exec.run(pairs * parts, [&](int64_t piece, int thread) {
        const int64_t part = piece % parts, key_head = piece / parts % s.n_key_heads,
                      stream = piece / parts / s.n_key_heads;
        char * base = exec.scratch(thread, 0).get<char>(int64_t(space.places.bytes()));
        const auto place = [&](size_t at) { return reinterpret_cast<float *>(base + at); };
        T *keys = reinterpret_cast<T *>(base + space.keys), *values = reinterpret_cast<T *>(base + space.values);
        T *queries = reinterpret_cast<T *>(base + space.queries),
          *weights = reinterpret_cast<T *>(base + space.weights);
        float *scores = place(space.scores), *sums = place(space.sums), *highest = place(space.highest),
              *total = place(space.total), *mask_row = place(space.mask_row);
        gemm & products = exec.products(thread);
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
                copy_rows(in.q.at(query, first_head + h, stream), in.q.row, n, s.head_size,
                          queries + h * n * s.head_size);
                const float sink = in.sinks ? in.sinks[first_head + h] : -INFINITY; // counts as a key without a value
                std::fill_n(highest + h * n, n, sink);
                std::fill_n(total + h * n, n, sink == -INFINITY ? 0.0f : 1.0f);
            }
            mask.runs(query, n, 0, s.n_keys, block_keys, runs);
            if (runs.empty()) std::fill_n(sums, n_rows * s.value_size, 0.0f);
            for (size_t r = 0; r < runs.size(); r++) {
                const key_run run = runs[r];
                const int64_t width = whole_vectors(run.count);
                products.run(type_of<T>(), n_rows, run.count, s.head_size, rows(queries, s.head_size),
                             columns(keys + run.first * s.head_size, s.head_size), scores, width);
                for (int64_t i = 0; i < n; i++) {
                    if (i == 0 || (query + i) % tile == 0) mask.segments(query + i, run, segments);
                    for (int64_t h = 0; h < n_heads; h++) {
                        const int64_t row = h * n + i;
                        float * x = scores + row * width;
                        T * p = weights + row * width;
                        // the mask, in units of what is scaled
                        const float bias = slope(s, first_head + h) / s.scale;
                        hide_rest(x, run.count);
                        float_vector best = all_lanes(-INFINITY), sum{};
                        for (const segment & part : segments) {
                            const int64_t count = whole_vectors(part.count);
                            if (part.mask == tile_mask::partial) {
                                best = add_mask(x + part.first, mask.row(query + i, run, part, mask_row), count, bias,
                                                best);
                            } else if (part.mask == tile_mask::full) {
                                best = highest_of_row(x + part.first, count, best);
                            }
                        }
                        const float before = highest[row], now = std::max(before, highest_lane(best) * s.scale);
                        const float shift = now == -INFINITY ? 0.0f : now;
                        for (const segment & part : segments) {
                            const int64_t count = whole_vectors(part.count);
                            if (part.mask == tile_mask::skip) {
                                std::fill_n(p + part.first, count, T(0));
                            } else {
                                sum = exponentials(x + part.first, p + part.first, count, s.scale, shift, sum);
                            }
                        }
                        const float old = before == now ? 1.0f : vector_exp(before - shift);
                        highest[row] = now;
                        total[row] = total[row] * old + sum_of_lanes(sum);
                        if (r > 0 && old != 1.0f) multiply(sums + row * s.value_size, s.value_size, old);
                    }
                }
                products.run(type_of<T>(), n_rows, s.value_size, run.count, rows(weights, width),
                             rows(values + run.first * s.value_size, s.value_size), sums, s.value_size, r > 0);
            }
            for (int64_t row = 0; row < n_rows; row++) {
                const int64_t head = first_head + row / n, i = query + row % n;
                const bool nothing = total[row] == 0.0f;
                const float factor = nothing ? 0.0f : 1.0f / total[row];
                multiply(sums + row * s.value_size, s.value_size, factor);
                stream_floats(out.at(i, head, stream), sums + row * s.value_size, s.value_size);
                log_sums[(stream * s.n_heads + head) * s.n_queries + i] =
                    nothing ? INFINITY : highest[row] + std::log(total[row]);
            }
        }
        end_stream();
    });
}

}

void attention_forward(const attention_inputs & in, const attention_rows & out, float * log_sums, executor & exec) {
    if (exec.operands() == gemm_type::bf16) {
        run<uint16_t>(in, out, log_sums, exec);
    } else {
        run<float>(in, out, log_sums, exec);
    }
}

}
