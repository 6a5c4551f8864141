// Cross-entropy with label smoothing ε over the K tokens of the vocabulary, as torch.nn.CrossEntropyLoss (arXiv
// 1512.00567):
//   q = (1 - ε) onehot(target) + ε / K;  loss = -Σ q log p = -log p(target) + ε (logit(target) - mean(logits))
//   d loss / d logits = p - q

#include "cpu/accelerator.h"
#include "loss/objective.h"

namespace llamatune {

namespace {

// May the host's kernel overwrite the logits? Not if the gradient of the op that computes them needs its result.
bool is_overwritable(const ggml_tensor * logits) {
    return logits->op == GGML_OP_MUL_MAT || logits->op == GGML_OP_ADD || logits->op == GGML_OP_SCALE;
}

class cross_entropy : public objective {
public:
    explicit cross_entropy(const objective_options & o)
        : label_smoothing_(float(number_or(o.numbers, "labelSmoothing", 0))) {}

    // 1 for a target that no logit exceeds, otherwise 0. TRL's name is mean_token_accuracy.
    std::vector<std::string> metric_names() const override { return {"tokenAccuracy"}; }

    loss_gradients build(ggml_context * ctx, const loss_chunk & c,
                         const std::function<void(ggml_tensor *)> & run) const override {
        return c.on_host ? build_on_host(ctx, c, run) : build_composed(ctx, c, run);
    }

    int64_t n_logits(bool on_host) const override { return on_host ? 1 : 3; }

private:
    loss_gradients build_on_host(ggml_context * ctx, const loss_chunk & c,
                                 const std::function<void(ggml_tensor *)> & run) const {
        if (c.logits->src[1] == c.hidden && !c.trains_output) {
            const fused_cross_entropy fused =
                fuse_cross_entropy(ctx, c.logits, c.targets, c.weights, {c.losses, c.metric(ctx, 0)},
                                   c.evaluation ? 0.0f : label_smoothing_, c.with_gradient);
            if (fused.result) {
                run(fused.result);
                return {nullptr, c.with_gradient ? fused.result : nullptr, fused.kernels};
            }
        }
        const bool in_place = is_overwritable(c.logits) && ggml_is_contiguous(c.logits);
        ggml_tensor * logits = in_place ? c.logits : ggml_cont(ctx, c.logits);
        ggml_tensor * dlogits =
            build_host_cross_entropy(ctx, logits, c.targets, c.weights, {c.losses, c.metric(ctx, 0)},
                                     c.evaluation ? nullptr : &label_smoothing_, c.with_gradient);
        run(dlogits);
        return {dlogits};
    }

    // Of ops that every backend supports, without dense labels or a vocabulary-sized mask.
    loss_gradients build_composed(ggml_context * ctx, const loss_chunk & c,
                                  const std::function<void(ggml_tensor *)> & run) const {
        const int64_t n_vocab = c.logits->ne[0], columns = c.logits->ne[1];
        const float smoothing = c.evaluation ? 0.0f : label_smoothing_;
        ggml_tensor * p = ggml_soft_max(ctx, c.logits); // [n_vocab, columns]
        // To gather one element per column, view each column as a table of n_vocab rows of one element.
        ggml_tensor * logit_rows = ggml_reshape_3d(ctx, c.logits, 1, n_vocab, columns);
        ggml_tensor * p_rows = ggml_reshape_3d(ctx, p, 1, n_vocab, columns);
        ggml_tensor * best = ggml_reshape_2d(ctx, ggml_argmax(ctx, c.logits), 1, columns);
        ggml_tensor * best_logit = ggml_get_rows(ctx, logit_rows, best);        // [1, 1, columns]
        ggml_tensor * target_logit = ggml_get_rows(ctx, logit_rows, c.targets); // [1, 1, columns]
        // -log p[target] = (logit[best] - log p[best]) - logit[target]. p[best] >= 1/n_vocab, so this is exact even if
        // p[target] underflows.
        ggml_tensor * log_sum = ggml_sub(ctx, best_logit, ggml_log(ctx, ggml_get_rows(ctx, p_rows, best)));
        ggml_tensor * loss = ggml_sub(ctx, log_sum, target_logit);
        if (smoothing > 0) {
            ggml_tensor * sum = ggml_reshape_3d(ctx, ggml_sum_rows(ctx, c.logits), 1, 1, columns);
            ggml_tensor * above_mean = ggml_sub(ctx, target_logit, ggml_scale(ctx, sum, 1.0f / float(n_vocab)));
            loss = ggml_add(ctx, loss, ggml_scale(ctx, above_mean, smoothing));
        }
        // copy the losses before the gradient overwrites the probabilities
        run(ggml_cpy(ctx, ggml_reshape_1d(ctx, loss, columns), c.losses));
        ggml_tensor * exceeded = ggml_step(ctx, ggml_sub(ctx, best_logit, target_logit)); // 1 or 0
        ggml_tensor * is_best = ggml_scale_bias(ctx, exceeded, -1.0f, 1.0f);
        run(ggml_cpy(ctx, ggml_reshape_1d(ctx, is_best, columns), c.metric(ctx, 0)));
        if (!c.with_gradient) return {};

        ggml_tensor * difference = p_rows; // becomes p - q, in p's place
        if (smoothing > 0) {
            ggml_tensor * shifted = ggml_scale_bias_inplace(ctx, p, 1.0f, -smoothing / float(n_vocab));
            difference = ggml_reshape_3d(ctx, shifted, 1, n_vocab, columns);
        }
        ggml_tensor * at_target = ggml_get_rows(ctx, difference, c.targets);
        difference = ggml_set_rows(ctx, difference, ggml_scale_bias(ctx, at_target, 1.0f, smoothing - 1.0f), c.targets);
        return {ggml_mul(ctx, ggml_reshape_2d(ctx, difference, n_vocab, columns), c.weights)};
    }

    float label_smoothing_;
};

}

std::unique_ptr<objective> make_cross_entropy(const objective_options & options) {
    return std::make_unique<cross_entropy>(options);
}

}
