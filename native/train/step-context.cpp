#include "train/step-context.h"

#include "autodiff/engine/preflight.h"
#include "backends/backend-name.h"
#include "graph/out-of-memory.h"

#include <algorithm>
#include <iterator>

namespace llamatune {

namespace {

// Does one of these nodes multiply with a weight in host memory?
bool multiplies_on_host(const std::vector<ggml_tensor *> & nodes) {
    return std::any_of(nodes.begin(), nodes.end(), [](const ggml_tensor * node) {
        const ggml_tensor * weight = node->src[0];
        return (node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_MUL_MAT_ID) && weight->buffer &&
               ggml_backend_buffer_is_host(weight->buffer);
    });
}

}

ggml_backend_buffer_ptr allocate_tensors(ggml_context * ctx, ggml_backend_buffer_type_t type, const char * what) {
    ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors_from_buft(ctx, type)};
    if (!buffer) throw out_of_memory(std::string("allocating ") + what);
    return buffer;
}

step_context::step_context(const compute & devices, const parameter_set * parameters, const step_options & options,
                           int64_t n_embd, int64_t n_tokens)
    : devices_(devices), parameters_(options.with_backward ? parameters : nullptr), options_(options) {
    const auto is_remote = [](ggml_backend_dev_t device) { return backend_of(device) == "rpc"; };
    options_.gradient.only_common_ops = std::any_of(devices.devices().begin(), devices.devices().end(), is_remote);
    for (ggml_context_ptr * ctx : {&ctx_, &gradient_ctx_})
        ctx->reset(ggml_init({2 * ggml_tensor_overhead(), nullptr, true}));
    hidden_ = ggml_new_tensor_2d(ctx_.get(), GGML_TYPE_F32, n_embd, n_tokens + 1);
    dhidden_ = ggml_new_tensor_2d(gradient_ctx_.get(), GGML_TYPE_F32, n_embd, n_tokens + 1);
    unscale_ = ggml_new_tensor_1d(ctx_.get(), GGML_TYPE_F32, 1);
    ggml_set_name(hidden_, "hidden");
    ggml_set_name(dhidden_, "dhidden");
    buffer_ = allocate_tensors(ctx_.get(), devices.output_buffer_type(), "the hidden states");
    // a separate buffer, because every device can clear a whole buffer
    gradient_buffer_ =
        allocate_tensors(gradient_ctx_.get(), devices.output_buffer_type(), "the gradient of the hidden states");
    ggml_backend_buffer_clear(buffer_.get(), 0);
}

bool step_context::on_host() const { return options_.gradient.rules == rule_mode::automatic && devices_.on_host(); }

bool step_context::scales_loss() const { return !on_host() && (devices_.on_host() || devices_.rounds_to_f16()); }

gradient_options step_context::gradient_options_of(const std::vector<ggml_tensor *> & nodes) const {
    gradient_options options = options_.gradient;
    options.multiplies_on_host = multiplies_on_host(nodes);
    return options;
}

void step_context::want_parameters(gradients & g) const {
    if (!parameters_) return;
    for (const parameter & p : parameters_->all()) {
        g.want(p.value);
        g.accumulate_into(p.value, p.gradient);
    }
    if (scales_loss()) g.unscale_by(unscale_);
}

void step_context::clear_dhidden() const { ggml_backend_buffer_clear(gradient_buffer_.get(), 0); }

size_t step_context::bytes() const {
    return ggml_backend_buffer_get_size(buffer_.get()) + ggml_backend_buffer_get_size(gradient_buffer_.get());
}

void graph_findings::note_read(const std::vector<ggml_tensor *> & nodes) {
    for (const ggml_tensor * node : nodes) read.insert(std::begin(node->src), std::end(node->src));
}

void graph_findings::note_gradients(const gradients & g, const std::vector<ggml_tensor *> & nodes) {
    for (const ggml_tensor * node : nodes) {
        if (g.wants(node)) reached.insert(std::begin(node->src), std::end(node->src));
    }
    without_rule = ops_without_rule(g, nodes);
}

}
