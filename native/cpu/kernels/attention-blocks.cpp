#include "cpu/kernels/attention-blocks.h"

#include "cpu/kernels/convert.h"

namespace llamatune {

int64_t attention_tile_count(int64_t n) { return (n + attention::tile - 1) / attention::tile; }

namespace attention {

mask_view::mask_view(const attention_inputs & in, int64_t stream)
    : in_(in), per_row_(attention_tile_count(in.shape.n_keys)) {
    if (in.mask) {
        stream_of_mask_ = in.mask->ne[3] == 1 ? 0 : stream;
        tiles_ = in.tiles + stream_of_mask_ * per_row_ * attention_tile_count(in.shape.n_queries);
    }
}

void mask_view::runs(int64_t query, int64_t n, int64_t first, int64_t end, int64_t most,
                     std::vector<key_run> & found) const {
    found.clear();
    for (int64_t key = first; key < end; key += tile) {
        bool skipped = true;
        for (int64_t row = query / tile; row * tile < query + n && skipped; row++) {
            skipped = state(row, key / tile) == 0.0f;
        }
        if (skipped) continue;
        const int64_t count = std::min(tile, end - key);
        if (!found.empty() && found.back().first + found.back().count == key && found.back().count + count <= most) {
            found.back().count += count;
        } else {
            found.push_back({key, count});
        }
    }
}

void mask_view::segments(int64_t query, const key_run & run, std::vector<segment> & found) const {
    found.clear();
    for (int64_t at = 0; at < run.count; at += tile) {
        const int64_t count = std::min(tile, run.count - at);
        const float state_of_tile = state(query / tile, (run.first + at) / tile);
        const tile_mask mask = state_of_tile == 0.0f   ? tile_mask::skip
                               : state_of_tile == 1.0f ? tile_mask::partial
                                                       : tile_mask::full;
        if (!found.empty() && found.back().mask == mask) {
            found.back().count += count;
        } else {
            found.push_back({at, count, mask});
        }
    }
}

const float * mask_view::row(int64_t query, const key_run & run, const segment & part, float * space) const {
    const ggml_tensor * mask = in_.mask;
    const char * at = static_cast<const char *>(mask->data) + size_t(stream_of_mask_) * mask->nb[3] +
                      size_t(query) * mask->nb[1] + size_t(run.first + part.first) * mask->nb[0];
    const float * values = reinterpret_cast<const float *>(at);
    if (mask->type == GGML_TYPE_F32 && part.count % lanes == 0) return values;
    if (mask->type == GGML_TYPE_F32) {
        std::copy_n(values, part.count, space);
    } else {
        rows_to_f32(GGML_TYPE_F16, at, 0, part.count, 1, space);
    }
    std::fill(space + part.count, space + whole_vectors(part.count), 0.0f);
    return space;
}

// As in ggml: powers of one number for the first 2^n heads, odd powers of its square root for the rest.
float slope(const attention_shape & shape, int64_t head) {
    if (shape.max_bias <= 0) return 1.0f;
    int64_t whole = 1;
    while (whole * 2 <= shape.n_heads) whole *= 2;
    return head < whole ? std::pow(std::exp2(-shape.max_bias / float(whole)), float(head + 1))
                        : std::pow(std::exp2(-shape.max_bias / 2 / float(whole)), float(2 * (head - whole) + 1));
}

}

void attention_tiles(const ggml_tensor * mask, int64_t n_queries, float * tiles, executor & exec) {
    using attention::key_run, attention::segment, attention::tile_mask;
    using attention::tile;
    constexpr int64_t lanes = vector_lanes;
    const int64_t per_row = attention_tile_count(mask->ne[0]), per_stream = attention_tile_count(n_queries);
    attention_inputs in{};
    in.shape.n_queries = n_queries;
    in.shape.n_keys = mask->ne[0];
    in.mask = mask;
    in.tiles = tiles;
    exec.run(per_stream * mask->ne[3], [&](int64_t piece, int thread) {
        const attention::mask_view view(in, piece / per_stream);
        const int64_t first = piece % per_stream * tile, last = std::min(first + tile, n_queries);
        static_assert(tile == executor::padding_block, "padding is known by the same blocks");
        const int64_t token = piece / per_stream * n_queries + first;
        if (token % tile == 0 && exec.is_padding(mask->ne[3] * n_queries, token, last - first)) {
            std::fill_n(tiles + piece * per_row, per_row, 0.0f); // all masked
            return;
        }
        float * space = exec.scratch(thread, 0).get<float>(tile);
        for (int64_t column = 0; column < per_row; column++) {
            const int64_t key = column * tile, count = std::min(tile, mask->ne[0] - key);
            int32_t hidden[lanes] = {}, open[lanes] = {};
            const key_run run{key, count};
            const segment all_of_it{0, count, tile_mask::partial};
            for (int64_t query = first; query < last; query++) {
                const float * row = view.row(query, run, all_of_it, space);
                const int64_t whole = count / lanes * lanes;
                for (int64_t i = 0; i < whole; i += lanes) {
                    for (int64_t j = 0; j < lanes; j++) {
                        hidden[j] += row[i + j] == -INFINITY;
                        open[j] += row[i + j] == 0.0f;
                    }
                }
                for (int64_t i = whole; i < count; i++) {
                    hidden[0] += row[i] == -INFINITY;
                    open[0] += row[i] == 0.0f;
                }
            }
            int64_t n_hidden = 0, n_open = 0;
            for (int64_t j = 0; j < lanes; j++) {
                n_hidden += hidden[j];
                n_open += open[j];
            }
            const int64_t all = (last - first) * count;
            tiles[piece * per_row + column] = n_hidden == all ? 0.0f : n_open == all ? 2.0f : 1.0f;
        }
    });
}

}
