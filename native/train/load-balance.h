#pragma once

#include "autodiff/engine/gradients.h"
#include "core/ggml-ptr.h"
#include "graph/compute.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace llamatune {

// The load-balance loss of the Switch Transformer (Fedus et al., arXiv 2101.03961, equations 4 to 6), for every layer
// with a router:
//     N · Σ_i f_i · P_i
// with N experts; f_i: the fraction of the choices of the micro-batch's tokens that fall on expert i, which has no
// gradient; P_i: the mean probability that the router gives expert i. It is 1 if all experts are used equally, N at
// most. With k > 1 choices per token all of them count. Scores that do not add up to 1 (sigmoid gating) are divided by
// their sum, as in DeepSeek-V3 (arXiv 2412.19437, equations 17 to 20).
class load_balance {
public:
    // `nodes` is a forward graph for this number of tokens. Throws error OUT_OF_MEMORY.
    load_balance(const std::vector<ggml_tensor *> & nodes, int64_t n_tokens, const compute & devices);

    // Adds the gradients of the probabilities, which the graph reads when it has passed `boundary`, to those that reach
    // trained weights.
    void add_gradients(gradients & g, ggml_tensor * boundary, bool on_host) const;

    // Whether the model has no router.
    bool empty() const { return layers_.empty(); }
    // Whether a node of the forward pass must be read once it is computed.
    bool reads(const ggml_tensor * node) const;
    // Reads that node. `segment_id` has one entry per token, negative for padding, which does not count.
    void read(const ggml_tensor * node, const std::vector<int32_t> & segment_id);
    // Ends the forward pass: the gradients are those of `factor` times the sum over all tokens and layers. Returns the
    // mean of the loss over the layers.
    double finish(double factor, const std::vector<int32_t> & segment_id);

private:
    enum class scores { probabilities, positive, logits }; // what the router's node holds

    struct layer {
        ggml_tensor * router; // F32 [n_expert, n_tokens]
        scores kind;
        const ggml_tensor * choice; // I32 [n_used, n_tokens]
        ggml_tensor * weights;      // F32 [n_expert]: of the experts in the gradient, set by finish()
        std::vector<int64_t> counts;
        std::vector<double> probabilities; // sums over the tokens
    };

    static scores kind_of(const ggml_tensor * router);
    static void add_probabilities(const layer & l, const float * values, std::vector<double> & to);
    static ggml_tensor * router_gradient(tensor_arena & ctx, const layer & l, ggml_tensor * dp);

    std::vector<layer> layers_;
    ggml_context_ptr ctx_;
    ggml_backend_buffer_ptr buffer_;
    ggml_tensor * mask_ = nullptr; // F32 [1, n_tokens]: 0 for padding
    std::vector<float> values_;
};

}
