#pragma once

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
    bool with_gradient;
    bool on_host; // all devices compute in host memory
};

// The gradients of Σ weight · loss; null for a tensor that the loss does not depend on.
struct loss_gradients {
    ggml_tensor * logits = nullptr; // F32 [n_vocab, columns]
    ggml_tensor * hidden = nullptr; // F32 [n_embd, columns]
};

// What training minimizes: a loss per target, and its gradient. To add an objective, add a file <name>.cpp to
// loss/objectives that defines
//     std::unique_ptr<objective> make_<name>()
// and a value of `objective` in the configuration.
class objective {
public:
    virtual ~objective() = default;

    // Adds the loss to the graph; `run` appends a node to the graph.
    virtual loss_gradients build(ggml_context * ctx, const loss_chunk & chunk,
                                 const std::function<void(ggml_tensor *)> & run) const = 0;

    // The number of tensors of the logits' size that exist at a time, including the logits; it limits the size of
    // chunks.
    virtual int64_t n_logits(bool on_host) const = 0;
};

// Throws error CONFIG_INVALID for a name that does not exist.
std::unique_ptr<objective> make_objective(const std::string & name);

}
