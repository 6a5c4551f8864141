#include "cpu/kernels/attention-blocks.h"
#include "cpu/kernels/stream.h"

namespace llamatune {

namespace {

using namespace attention;

constexpr int64_t block_queries = 128; // per head
constexpr int64_t block_rows = 256;    // of several heads that share a key head
constexpr int64_t block_keys = 256;

// x += bias · mask; returns the maximum of each lane.
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

// out = exp(scale · x - shift); returns the sums of each lane.
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

// The arrays of a thread, in one allocation.
template <typename T>
struct workspace {
    explicit workspace(const attention_shape & s, int64_t n_rows) {
        keys = places.add<T>(s.n_keys * s.head_size);
        values = places.add<T>(s.n_keys * s.value_size);
        queries = places.add<T>(n_rows * s.head_size);
        scores = places.add<float>(n_rows * block_keys);
        weights = places.add<T>(n_rows * block_keys);
        sums = places.add<float>(n_rows * s.value_size);
        highest = places.add<float>(n_rows);
        total = places.add<float>(n_rows);
        mask_row = places.add<float>(block_keys);
    }
    layout places;
    size_t keys, values, queries, scores, weights, sums, highest, total, mask_row;
};

// A block of queries of several heads that share a key head; row h * n + i is query i of head h.
struct query_block {
    int64_t query, n, first_head, n_heads;
    int64_t n_rows() const { return n_heads * n; }
};

// The forward pass of one key head and the query heads that share it, on one thread.
template <typename T>
class key_head_forward {
public:
    key_head_forward(const attention_inputs & in, const attention_rows & out, float * log_sums, int64_t key_head,
                     int64_t stream, gemm & products, char * base, const workspace<T> & space)
        : in_(in), s_(in.shape), out_(out), log_sums_(log_sums), stream_(stream), products_(products),
          mask_(in, stream), keys_(reinterpret_cast<T *>(base + space.keys)),
          values_(reinterpret_cast<T *>(base + space.values)), queries_(reinterpret_cast<T *>(base + space.queries)),
          weights_(reinterpret_cast<T *>(base + space.weights)),
          scores_(reinterpret_cast<float *>(base + space.scores)), sums_(reinterpret_cast<float *>(base + space.sums)),
          highest_(reinterpret_cast<float *>(base + space.highest)),
          total_(reinterpret_cast<float *>(base + space.total)),
          mask_row_(reinterpret_cast<float *>(base + space.mask_row)) {
        copy_rows(in.k.at(0, key_head, stream), in.k.row, s_.n_keys, s_.head_size, keys_);
        copy_rows(in.v.at(0, key_head, stream), in.v.row, s_.n_keys, s_.value_size, values_);
    }

    void run(const query_block & b) {
        start(b);
        mask_.runs(b.query, b.n, 0, s_.n_keys, block_keys, runs_);
        if (runs_.empty()) std::fill_n(sums_, b.n_rows() * s_.value_size, 0.0f);
        for (size_t r = 0; r < runs_.size(); r++) {
            const key_run & run = runs_[r];
            const int64_t width = whole_vectors(run.count);
            products_.run(type_of<T>(), b.n_rows(), run.count, s_.head_size, rows(queries_, s_.head_size),
                          columns(keys_ + run.first * s_.head_size, s_.head_size), scores_, width);
            for (int64_t i = 0; i < b.n; i++) {
                if (i == 0 || (b.query + i) % tile == 0) mask_.segments(b.query + i, run, segments_);
                for (int64_t h = 0; h < b.n_heads; h++) {
                    weigh(b.query + i, b.first_head + h, h * b.n + i, run, r == 0);
                }
            }
            products_.run(type_of<T>(), b.n_rows(), s_.value_size, run.count, rows(weights_, width),
                          rows(values_ + run.first * s_.value_size, s_.value_size), sums_, s_.value_size, r > 0);
        }
        finish(b);
    }

private:
    const attention_inputs & in_;
    const attention_shape & s_;
    const attention_rows & out_;
    float * log_sums_;
    int64_t stream_;
    gemm & products_;
    mask_view mask_;
    T *keys_, *values_, *queries_, *weights_;
    float *scores_, *sums_, *highest_, *total_, *mask_row_;
    std::vector<key_run> runs_;
    std::vector<segment> segments_;

    void start(const query_block & b) {
        for (int64_t h = 0; h < b.n_heads; h++) {
            copy_rows(in_.q.at(b.query, b.first_head + h, stream_), in_.q.row, b.n, s_.head_size,
                      queries_ + h * b.n * s_.head_size);
            const float sink = in_.sinks ? in_.sinks[b.first_head + h] : -INFINITY; // a key without a value
            std::fill_n(highest_ + h * b.n, b.n, sink);
            std::fill_n(total_ + h * b.n, b.n, sink == -INFINITY ? 0.0f : 1.0f);
        }
    }

    // Turns a row of scores for a run of keys into weights, and rescales the sums of earlier runs to the new maximum.
    void weigh(int64_t query, int64_t head, int64_t row, const key_run & run, bool first_run) {
        const int64_t width = whole_vectors(run.count);
        float * x = scores_ + row * width;
        T * p = weights_ + row * width;
        const float bias = slope(s_, head) / s_.scale; // of the mask, since the scale is applied later
        hide_rest(x, run.count);
        float_vector best = all_lanes(-INFINITY), sum{};
        for (const segment & part : segments_) {
            const int64_t count = whole_vectors(part.count);
            if (part.mask == tile_mask::partial) {
                best = add_mask(x + part.first, mask_.row(query, run, part, mask_row_), count, bias, best);
            } else if (part.mask == tile_mask::full) {
                best = highest_of_row(x + part.first, count, best);
            }
        }
        const float before = highest_[row], now = std::max(before, highest_lane(best) * s_.scale);
        const float shift = now == -INFINITY ? 0.0f : now;
        for (const segment & part : segments_) {
            const int64_t count = whole_vectors(part.count);
            if (part.mask == tile_mask::skip) {
                std::fill_n(p + part.first, count, T(0));
            } else {
                sum = exponentials(x + part.first, p + part.first, count, s_.scale, shift, sum);
            }
        }
        const float old = before == now ? 1.0f : vector_exp(before - shift);
        highest_[row] = now;
        total_[row] = total_[row] * old + sum_of_lanes(sum);
        if (!first_run && old != 1.0f) multiply(sums_ + row * s_.value_size, s_.value_size, old);
    }

    void finish(const query_block & b) {
        for (int64_t row = 0; row < b.n_rows(); row++) {
            const int64_t head = b.first_head + row / b.n, i = b.query + row % b.n;
            const bool nothing = total_[row] == 0.0f;
            const float factor = nothing ? 0.0f : 1.0f / total_[row];
            multiply(sums_ + row * s_.value_size, s_.value_size, factor);
            stream_floats(out_.at(i, head, stream_), sums_ + row * s_.value_size, s_.value_size);
            log_sums_[(stream_ * s_.n_heads + head) * s_.n_queries + i] =
                nothing ? INFINITY : highest_[row] + std::log(total_[row]);
        }
    }
};

int64_t heads_at_once(const attention_shape & s) {
    return std::min(s.n_heads / s.n_key_heads, block_rows / block_queries);
}

template <typename T>
void run(const attention_inputs & in, const attention_rows & out, float * log_sums, executor & exec) {
    const attention_shape & s = in.shape;
    const int64_t group = s.n_heads / s.n_key_heads;
    const int64_t heads_at_once = llamatune::heads_at_once(s);
    const int64_t head_blocks = (group + heads_at_once - 1) / heads_at_once;
    const int64_t query_blocks = (s.n_queries + block_queries - 1) / block_queries;
    const int64_t blocks = head_blocks * query_blocks;
    // the keys of a head are converted once, unless there are too few heads to keep all threads busy
    const int64_t pairs = s.n_streams * s.n_key_heads;
    const int64_t parts = std::min<int64_t>(blocks, (4 * exec.n_threads() + pairs - 1) / pairs);
    const workspace<T> space(s, heads_at_once * block_queries);

    exec.run(pairs * parts, [&](int64_t piece, int thread) {
        const int64_t part = piece % parts, key_head = piece / parts % s.n_key_heads;
        char * base = exec.scratch(thread, 1).get<char>(int64_t(space.places.bytes()));
        key_head_forward<T> keys(in, out, log_sums, key_head, piece / parts / s.n_key_heads, exec.products(thread),
                                 base, space);
        for (int64_t block = part; block < blocks; block += parts) {
            const int64_t query = block / head_blocks * block_queries;
            const int64_t first_head = key_head * group + block % head_blocks * heads_at_once;
            keys.run({query, std::min(block_queries, s.n_queries - query), first_head,
                      std::min(heads_at_once, (key_head + 1) * group - first_head)});
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

scratch_need attention_scratch(const attention_shape & s, const executor & exec) {
    const int64_t n_rows = heads_at_once(s) * block_queries;
    return {int64_t(exec.operands() == gemm_type::bf16 ? workspace<uint16_t>(s, n_rows).places.bytes()
                                                       : workspace<float>(s, n_rows).places.bytes())};
}

}
