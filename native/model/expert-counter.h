#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

struct ggml_tensor;

namespace llamatune {

class model;

// How often the router of one layer chose each expert.
struct layer_experts {
    int32_t layer;
    std::vector<int64_t> counts; // by expert; a token counts once for each expert that it uses
};

template <class V>
void fields(V & v, layer_experts & l) {
    v("layer", l.layer);
    v("counts", l.counts);
}

// Adds the choices of a computed node to the counts of the experts. `segment_id` has one entry per token, negative for
// padding, which does not count; empty: all tokens count.
void count_choices(const ggml_tensor * choice, const std::vector<int32_t> & segment_id, std::vector<int64_t> & counts);

// Counts the experts that the routers of a mixture of experts choose, from the nodes of llama.cpp's graph.
class expert_counter {
public:
    explicit expert_counter(const model & base);

    // Whether the node holds the chosen experts of a layer: [n_expert_used, n_tokens], I32.
    static bool is_choice(const ggml_tensor * node);

    // Counts the choices of a computed node, as count_choices().
    void add(const ggml_tensor * choice, const std::vector<int32_t> & segment_id = {});

    // The layers with experts, in order; none for a dense model.
    std::vector<layer_experts> layers() const;
    // The same for what was counted since the last call.
    std::vector<layer_experts> take_new();

private:
    struct layer_counts {
        std::vector<int64_t> counts; // by expert
        int64_t n_choices = 0;       // nodes seen
    };
    size_t n_experts_;
    // The nodes with the choice of a layer in a graph: GroveMoE repeats it for the small experts that each group
    // shares.
    int64_t n_choices_;
    std::map<int32_t, layer_counts> layers_;
    std::map<int32_t, std::vector<int64_t>> taken_; // counts at the last take_new()
};

}
