#pragma once

#include "core/ggml-ptr.h"
#include "graph/compute.h"
#include "optim/parameter.h"
#include "train/step-options.h"

#include <string>
#include <unordered_set>
#include <vector>

namespace llamatune {

// What all graphs of a step have in common: the options, and the tensors between the trunk and the loss.
class step_context {
public:
    // `n_tokens` is that of the largest micro-batch. Throws error OUT_OF_MEMORY.
    step_context(const compute & devices, const parameter_set * parameters, const step_options & options,
                 int64_t n_embd, int64_t n_tokens);

    const compute & devices() const { return devices_; }
    const parameter_set * parameters() const { return parameters_; }
    const step_options & options() const { return options_; }
    // Kernels of the CPU accelerator need tensors in host memory.
    bool on_host() const;

    // Hidden states and their gradients, [n_embd, n_tokens + 1]. The last column belongs to no token: a chunk of the
    // loss is filled up with it.
    ggml_tensor * hidden() const { return hidden_; }
    ggml_tensor * dhidden() const { return dhidden_; }
    // The factor that undoes loss scaling, [1].
    ggml_tensor * unscale() const { return unscale_; }

    // Are the weights of losses scaled, because a device multiplies in F16?
    bool scales_loss() const;

    // The options of the gradients of these nodes.
    gradient_options gradient_options_of(const std::vector<ggml_tensor *> & nodes) const;
    // Asks for the gradients of the parameters.
    void want_parameters(gradients & g) const;
    void clear_dhidden() const;
    size_t bytes() const;

private:
    const compute & devices_;
    const parameter_set * parameters_; // null without a backward pass
    step_options options_;
    ggml_context_ptr ctx_, gradient_ctx_;
    ggml_backend_buffer_ptr buffer_, gradient_buffer_;
    ggml_tensor * hidden_;
    ggml_tensor * dhidden_;
    ggml_tensor * unscale_;
};

// What was found while a graph was built: ops that cannot be differentiated or run, and what the gradient reaches.
struct graph_findings {
    std::vector<std::string> without_rule, without_device;
    std::unordered_set<const ggml_tensor *> read;    // every source
    std::unordered_set<const ggml_tensor *> reached; // sources of nodes on the gradient path

    void note_read(const std::vector<ggml_tensor *> & nodes);
    // Call it after mark_gradient_path().
    void note_gradients(const gradients & g, const std::vector<ggml_tensor *> & nodes);
};

ggml_backend_buffer_ptr allocate_tensors(ggml_context * ctx, ggml_backend_buffer_type_t type, const char * what);

}
