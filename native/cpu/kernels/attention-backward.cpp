#include "cpu/kernels/attention-blocks.h"

namespace llamatune {

namespace {

using namespace attention;

// Products of 256 rows and 256 keys were fastest, with AMX and without.
constexpr int64_t block_queries = 128; // per head
constexpr int64_t most_heads = 2;      // of a block, that share a key head
constexpr int64_t run_keys = 256;
constexpr int64_t block_keys = 512; // converted at a time

// With p = exp(scale · x + slope · mask - log_sum): weights = p, d_scores = scale · p (d_weights - along).
struct row_factors {
    float scale, slope, log_sum, along;
};

template <typename T, bool masked, bool through_scores>
void weights_of_row(const float * x, const float * mask, const float * d_weights, int64_t n, const row_factors & f,
                    T * weights, T * d_scores) {
    const float_vector scale = all_lanes(f.scale), slope = all_lanes(f.slope), log_sum = all_lanes(f.log_sum),
                       along = all_lanes(f.along);
    for (int64_t i = 0; i < n; i += lanes) {
        float_vector shifted = multiply_add(load_floats(x + i), scale, -log_sum);
        if (masked) shifted = multiply_add(load_floats(mask + i), slope, shifted);
        const float_vector p = exp_of(shifted);
        store_operand(weights + i, p);
        if (through_scores) store_operand(d_scores + i, scale * p * (load_floats(d_weights + i) - along));
    }
}

// Writes or adds dense rows to rows `stride` apart.
void write_rows(const float * from, int64_t n, int64_t width, float * to, int64_t stride, bool add) {
    for (int64_t i = 0; i < n; i++) {
        const float * row = from + i * width;
        float * out = to + i * stride;
        if (add) {
            for (int64_t j = 0; j < width; j++) out[j] += row[j];
        } else {
            std::copy_n(row, width, out);
        }
    }
}

int64_t heads_at_once(const attention_shape & s) { return std::min(s.n_heads / s.n_key_heads, most_heads); }

// A block of queries of several heads that share a key head; row h * n + i is query i of head h.
struct query_block {
    int64_t query, n, first_head, n_heads;
    int64_t n_rows() const { return n_heads * n; }
};

// The arrays of a thread, in one allocation.
template <typename T>
struct workspace {
    explicit workspace(const attention_shape & s) {
        along = places.add<float>(s.n_heads / s.n_key_heads * s.n_queries);
        keys = places.add<T>(block_keys * s.head_size);
        values = places.add<T>(block_keys * s.value_size);
        d_keys = places.add<float>(block_keys * s.head_size);
        d_values = places.add<float>(block_keys * s.value_size);
        const int64_t n_rows = heads_at_once(s) * block_queries;
        queries = places.add<T>(n_rows * s.head_size);
        d_out = places.add<T>(n_rows * s.value_size);
        d_queries = places.add<float>(n_rows * s.head_size);
        scores = places.add<float>(n_rows * run_keys);
        d_weights = places.add<float>(n_rows * run_keys);
        weights = places.add<T>(n_rows * run_keys);
        d_scores = places.add<T>(n_rows * run_keys);
        mask_row = places.add<float>(run_keys);
    }
    layout places;
    size_t along, keys, values, d_keys, d_values, queries, d_out, d_queries, scores, d_weights, weights, d_scores,
        mask_row;
};

// The backward pass of one key head: its gradients are sums over the queries of all heads that share it.
template <typename T>
class key_head_backward {
public:
    key_head_backward(const attention_inputs & in, const attention_rows & out, const float * log_sums,
                      const attention_rows & d_out, const attention_gradients & gradients, int64_t key_head,
                      int64_t stream, gemm & products, char * base, const workspace<T> & space)
        : in_(in), s_(in.shape), out_(out), log_sums_(log_sums), d_out_(d_out), g_(gradients), key_head_(key_head),
          stream_(stream), products_(products), base_(base), space_(space), mask_(in, stream) {}

    void run() {
        const int64_t group = s_.n_heads / s_.n_key_heads;
        for (int64_t key = 0; key < s_.n_keys; key += block_keys) {
            const int64_t n_keys = std::min(block_keys, s_.n_keys - key);
            copy_rows(in_.k.at(key, key_head_, stream_), in_.k.row, n_keys, s_.head_size, at<T>(space_.keys));
            copy_rows(in_.v.at(key, key_head_, stream_), in_.v.row, n_keys, s_.value_size, at<T>(space_.values));
            std::fill_n(at<float>(space_.d_keys), n_keys * s_.head_size, 0.0f);
            std::fill_n(at<float>(space_.d_values), n_keys * s_.value_size, 0.0f);
            for (int64_t h = 0; h < group; h += heads_at_once(s_)) {
                for (int64_t query = 0; query < s_.n_queries; query += block_queries) {
                    block({query, std::min(block_queries, s_.n_queries - query), key_head_ * group + h,
                           std::min(heads_at_once(s_), group - h)},
                          key, n_keys);
                }
            }
            if (g_.k.data)
                write_rows(at<float>(space_.d_keys), n_keys, s_.head_size, g_.k.at(key, key_head_, stream_), g_.k.row,
                           false);
            if (g_.v.data)
                write_rows(at<float>(space_.d_values), n_keys, s_.value_size, g_.v.at(key, key_head_, stream_),
                           g_.v.row, false);
        }
    }

private:
    const attention_inputs & in_;
    const attention_shape & s_;
    const attention_rows & out_;
    const float * log_sums_;
    const attention_rows & d_out_;
    const attention_gradients & g_;
    int64_t key_head_, stream_;
    gemm & products_;
    char * base_;
    const workspace<T> & space_;
    mask_view mask_;
    std::vector<key_run> runs_;
    std::vector<segment> segments_;

    template <typename U>
    U * at(size_t place) const {
        return reinterpret_cast<U *>(base_ + place);
    }

    // a block of queries with a block of keys
    void block(const query_block & b, int64_t key, int64_t n_keys) {
        if (key == 0) multiply_with_result(b);
        mask_.runs(b.query, b.n, key, key + n_keys, run_keys, runs_);
        if (!runs_.empty()) load(b);
        const int64_t n = b.n_rows();
        const bool through_scores = g_.q.data || g_.k.data;
        bool first = true;
        for (const key_run & run : runs_) {
            const int64_t offset = run.first - key, width = whole_vectors(run.count); // in the block of keys
            T *keys = at<T>(space_.keys) + offset * s_.head_size,
              *values = at<T>(space_.values) + offset * s_.value_size;
            T *queries = at<T>(space_.queries), *d_out = at<T>(space_.d_out);
            products_.run(type_of<T>(), n, run.count, s_.head_size, rows(queries, s_.head_size),
                          columns(keys, s_.head_size), at<float>(space_.scores), width);
            if (through_scores) {
                products_.run(type_of<T>(), n, run.count, s_.value_size, rows(d_out, s_.value_size),
                              columns(values, s_.value_size), at<float>(space_.d_weights), width);
            }
            for (int64_t i = 0; i < b.n; i++) {
                if (i == 0 || (b.query + i) % tile == 0) mask_.segments(b.query + i, run, segments_);
                for (int64_t h = 0; h < b.n_heads; h++) {
                    weights_of_run(b.query + i, b.first_head + h, h * b.n + i, run, through_scores);
                }
            }
            if (g_.v.data) {
                products_.run(type_of<T>(), run.count, s_.value_size, n, columns(at<T>(space_.weights), width),
                              rows(d_out, s_.value_size), at<float>(space_.d_values) + offset * s_.value_size,
                              s_.value_size, true);
            }
            if (g_.k.data) {
                products_.run(type_of<T>(), run.count, s_.head_size, n, columns(at<T>(space_.d_scores), width),
                              rows(queries, s_.head_size), at<float>(space_.d_keys) + offset * s_.head_size,
                              s_.head_size, true);
            }
            if (g_.q.data) {
                products_.run(type_of<T>(), n, s_.head_size, run.count, rows(at<T>(space_.d_scores), width),
                              rows(keys, s_.head_size), at<float>(space_.d_queries), s_.head_size, !first);
            }
            first = false;
        }
        if (!g_.q.data || (runs_.empty() && key > 0)) return;
        float * d_queries = at<float>(space_.d_queries);
        if (runs_.empty()) std::fill_n(d_queries, n * s_.head_size, 0.0f);
        for (int64_t h = 0; h < b.n_heads; h++) {
            write_rows(d_queries + h * b.n * s_.head_size, b.n, s_.head_size,
                       g_.q.at(b.query, b.first_head + h, stream_), g_.q.row, key > 0);
        }
    }

    void load(const query_block & b) {
        for (int64_t h = 0; h < b.n_heads; h++) {
            copy_rows(in_.q.at(b.query, b.first_head + h, stream_), in_.q.row, b.n, s_.head_size,
                      at<T>(space_.queries) + h * b.n * s_.head_size);
            copy_rows(d_out_.at(b.query, b.first_head + h, stream_), d_out_.row, b.n, s_.value_size,
                      at<T>(space_.d_out) + h * b.n * s_.value_size);
        }
    }

    // Σ out · d_out of a query and a head of the group, which all blocks of keys need
    float & along(int64_t head, int64_t query) const {
        const int64_t h = head - key_head_ * (s_.n_heads / s_.n_key_heads);
        return at<float>(space_.along)[h * s_.n_queries + query];
    }

    void multiply_with_result(const query_block & b) {
        constexpr int64_t ahead = 6;
        for (int64_t head = b.first_head; head < b.first_head + b.n_heads; head++) {
            for (int64_t i = b.query; i < b.query + b.n; i++) {
                if (i + ahead < b.query + b.n) {
                    prefetch_row(out_.at(i + ahead, head, stream_), s_.value_size);
                    prefetch_row(d_out_.at(i + ahead, head, stream_), s_.value_size);
                }
                along(head, i) = dot(out_.at(i, head, stream_), d_out_.at(i, head, stream_), s_.value_size);
            }
        }
    }

    // The weights of a row and, through the scores, their gradients. The segments are those of the run.
    void weights_of_run(int64_t query, int64_t head, int64_t row, const key_run & run, bool through_scores) {
        const int64_t width = whole_vectors(run.count);
        const row_factors f{s_.scale, slope(s_, head), log_sums_[(stream_ * s_.n_heads + head) * s_.n_queries + query],
                            along(head, query)};
        hide_rest(at<float>(space_.scores) + row * width, run.count);
        for (const segment & part : segments_) {
            const int64_t from = row * width + part.first, count = whole_vectors(part.count);
            const float *x = at<float>(space_.scores) + from, *d_weights = at<float>(space_.d_weights) + from;
            T *weights = at<T>(space_.weights) + from, *d_scores = at<T>(space_.d_scores) + from;
            const float * mask =
                part.mask == tile_mask::partial ? mask_.row(query, run, part, at<float>(space_.mask_row)) : nullptr;
            if (part.mask == tile_mask::skip) {
                std::fill_n(weights, count, T(0));
                std::fill_n(d_scores, count, T(0));
            } else if (through_scores && mask) {
                weights_of_row<T, true, true>(x, mask, d_weights, count, f, weights, d_scores);
            } else if (through_scores) {
                weights_of_row<T, false, true>(x, mask, d_weights, count, f, weights, d_scores);
            } else if (mask) {
                weights_of_row<T, true, false>(x, mask, d_weights, count, f, weights, d_scores);
            } else {
                weights_of_row<T, false, false>(x, mask, d_weights, count, f, weights, d_scores);
            }
        }
    }
};

template <typename T>
void run(const attention_inputs & in, const attention_rows & out, const float * log_sums, const attention_rows & d_out,
         const attention_gradients & gradients, executor & exec) {
    const attention_shape & s = in.shape;
    const workspace<T> space(s);
    exec.run(s.n_streams * s.n_key_heads, [&](int64_t piece, int thread) {
        char * base = exec.scratch(thread, 1).get<char>(int64_t(space.places.bytes()));
        key_head_backward<T>(in, out, log_sums, d_out, gradients, piece % s.n_key_heads, piece / s.n_key_heads,
                             exec.products(thread), base, space)
            .run();
    });
}

}

void attention_backward(const attention_inputs & in, const attention_rows & out, const float * log_sums,
                        const attention_rows & d_out, const attention_gradients & gradients, executor & exec) {
    if (exec.operands() == gemm_type::bf16) {
        run<uint16_t>(in, out, log_sums, d_out, gradients, exec);
    } else {
        run<float>(in, out, log_sums, d_out, gradients, exec);
    }
}

scratch_need attention_backward_scratch(const attention_shape & s, const executor & exec) {
    return {int64_t(exec.operands() == gemm_type::bf16 ? workspace<uint16_t>(s).places.bytes()
                                                       : workspace<float>(s).places.bytes())};
}

void attention_sinks_backward(const attention_inputs & in, const attention_rows & out, const float * log_sums,
                              const attention_rows & d_out, float * d_sinks, executor & exec) {
    const attention_shape & s = in.shape;
    exec.run(s.n_heads, [&](int64_t head, int) {
        double sum = 0;
        for (int64_t stream = 0; stream < s.n_streams; stream++) {
            for (int64_t i = 0; i < s.n_queries; i++) {
                const float share = std::exp(in.sinks[head] - log_sums[(stream * s.n_heads + head) * s.n_queries + i]);
                sum -= double(share * dot(out.at(i, head, stream), d_out.at(i, head, stream), s.value_size));
            }
        }
        d_sinks[head] = float(sum);
    });
}

}
