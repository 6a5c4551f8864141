#include "model/expert-counter.h"

#include "model/load.h"

#include <ggml-backend.h>
#include <ggml.h>
#include <llama-model.h>

#include <cstdlib>
#include <cstring>
#include <utility>

namespace llamatune {

namespace {

// llama.cpp names a node after what it is and its layer: "ffn_moe_topk-12".
constexpr char choice_name[] = "ffn_moe_topk-";
constexpr size_t choice_name_length = sizeof(choice_name) - 1;

}

expert_counter::expert_counter(const model & base)
    : n_experts_(base.handle()->hparams.n_expert), n_choices_(base.handle()->hparams.n_group_experts > 0 ? 2 : 1) {}

bool expert_counter::is_choice(const ggml_tensor * node) {
    return node->type == GGML_TYPE_I32 && !std::strncmp(node->name, choice_name, choice_name_length);
}

void count_choices(const ggml_tensor * choice, const std::vector<int32_t> & segment_id, std::vector<int64_t> & counts) {
    std::vector<char> data(ggml_nbytes(choice)); // with the gaps between the rows of a view
    ggml_backend_tensor_get(choice, data.data(), 0, data.size());
    for (int64_t token = 0; token < choice->ne[1]; token++) {
        if (!segment_id.empty() && segment_id[size_t(token)] < 0) continue;
        for (int64_t i = 0; i < choice->ne[0]; i++) {
            int32_t expert;
            std::memcpy(&expert, data.data() + size_t(token) * choice->nb[1] + size_t(i) * choice->nb[0],
                        sizeof(expert));
            counts.at(size_t(expert))++;
        }
    }
}

void expert_counter::add(const ggml_tensor * choice, const std::vector<int32_t> & segment_id) {
    layer_counts & layer = layers_[std::atoi(choice->name + choice_name_length)];
    if (layer.n_choices++ % n_choices_ > 0) return;
    layer.counts.resize(n_experts_);
    count_choices(choice, segment_id, layer.counts);
}

std::vector<layer_experts> expert_counter::layers() const {
    std::vector<layer_experts> all;
    for (const auto & [index, layer] : layers_) all.push_back({index, layer.counts});
    return all;
}

std::vector<layer_experts> expert_counter::take_new() {
    std::vector<layer_experts> fresh = layers();
    for (layer_experts & each : fresh) {
        std::vector<int64_t> & taken = taken_[each.layer];
        taken.resize(each.counts.size());
        for (size_t i = 0; i < taken.size(); i++) std::swap(each.counts[i], taken[i]);
        for (size_t i = 0; i < taken.size(); i++) each.counts[i] = taken[i] - each.counts[i];
    }
    return fresh;
}

}
