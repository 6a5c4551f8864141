#include "loss/cross-entropy.h"

#include "cpu/accelerator.h"
#include "loss/objective.h"

namespace llamatune {

namespace {

// May the host's kernel overwrite the logits? Not if the gradient of the op that computes them needs its result.
bool is_overwritable(const ggml_tensor * logits) {
    return logits->op == GGML_OP_MUL_MAT || logits->op == GGML_OP_ADD || logits->op == GGML_OP_SCALE;
}

class cross_entropy_objective : public objective {
public:
    loss_gradients build(ggml_context * ctx, const loss_chunk & c,
                         const std::function<void(ggml_tensor *)> & run) const override {
        if (c.on_host) {
            const bool in_place = is_overwritable(c.logits) && ggml_is_contiguous(c.logits);
            ggml_tensor * logits = in_place ? c.logits : ggml_cont(ctx, c.logits);
            ggml_tensor * dlogits =
                build_host_cross_entropy(ctx, logits, c.targets, c.weights, c.losses, c.with_gradient);
            run(dlogits);
            return {dlogits};
        }
        const cross_entropy loss = build_cross_entropy(ctx, c.logits, c.targets, c.weights, c.with_gradient);
        // copy the losses before the gradient overwrites the probabilities
        run(ggml_cpy(ctx, ggml_reshape_1d(ctx, loss.loss, ggml_nelements(c.losses)), c.losses));
        return {loss.dlogits};
    }

    int64_t n_logits(bool on_host) const override { return on_host ? 1 : 3; }
};

}

std::unique_ptr<objective> make_cross_entropy() { return std::make_unique<cross_entropy_objective>(); }

}
