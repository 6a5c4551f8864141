#pragma once

#include "loss/objective-options.h"

#include <ggml.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace llamatune {

// The inputs of the loss for a chunk of the positions that carry a loss.
struct loss_chunk {
    ggml_tensor * hidden;  // F32 [n_embd, columns]
    ggml_tensor * logits;  // F32 [n_vocab, columns]
    ggml_tensor * targets; // I32 [1, columns]
    ggml_tensor * weights; // F32 [1, columns]: weight of each loss; 0 for columns that only fill the chunk
    ggml_tensor * losses;  // F32 [columns]: the graph writes the losses here, in nats and without their weights
    ggml_tensor * metrics; // F32 [columns, metrics]: the graph writes the metrics here; null if there are none
    bool with_gradient;
    bool on_host;               // all devices compute in host memory
    bool evaluation;            // leave out what only training adds to the loss, such as label smoothing
    bool trains_output = false; // a weight between the hidden states and the logits is trained

    // Where the graph writes the i-th metric of metric_names(), F32 [columns].
    ggml_tensor * metric(ggml_context * ctx, int64_t i) const {
        return ggml_view_1d(ctx, metrics, metrics->ne[0], size_t(i) * metrics->nb[1]);
    }
};

// The gradients of Σ weight · loss; null for a tensor that the loss does not depend on.
struct loss_gradients {
    ggml_tensor * logits = nullptr;      // F32 [n_vocab, columns]
    ggml_tensor * hidden = nullptr;      // F32 [n_embd, columns]
    std::shared_ptr<const void> kernels; // nodes point into it: it must outlive the graph
};

// What training minimizes: a loss per target, and its gradient. To add an objective, add a file <name>.cpp to
// loss/objectives that defines
//     std::unique_ptr<objective> make_<name>(const objective_options &)
// and a value of objective.type in the configuration.
class objective {
public:
    virtual ~objective() = default;

    // Names of the metrics, as events have them ("tokenAccuracy"). A metric is a number per target that has no
    // gradient. Events have its mean over the targets, with the same weights as the mean loss.
    virtual std::vector<std::string> metric_names() const { return {}; }

    // Adds the loss and the metrics to the graph; `run` appends a node to the graph. The nodes may point into this
    // objective, so it must outlive the graph.
    virtual loss_gradients build(ggml_context * ctx, const loss_chunk & chunk,
                                 const std::function<void(ggml_tensor *)> & run) const = 0;

    // The number of tensors of the logits' size that exist at a time, including the logits; it limits the size of
    // chunks.
    virtual int64_t n_logits(bool on_host) const = 0;
};

// Throws error CONFIG_INVALID for a type that does not exist.
std::unique_ptr<objective> make_objective(const objective_options & options);

}
