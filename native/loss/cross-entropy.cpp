#include "loss/cross-entropy.h"

#include <algorithm>

namespace llamatune {

cross_entropy build_cross_entropy(ggml_context * ctx, ggml_tensor * logits, ggml_tensor * targets,
                                  ggml_tensor * weights, bool with_gradient) {
    const int64_t n_vocab = logits->ne[0];
    const int64_t columns = logits->ne[1];
    ggml_tensor * p = ggml_soft_max(ctx, logits); // [n_vocab, columns]
    // To gather one element per column, view each column as a table of n_vocab rows of one element.
    ggml_tensor * logit_rows = ggml_reshape_3d(ctx, logits, 1, n_vocab, columns);
    ggml_tensor * p_rows = ggml_reshape_3d(ctx, p, 1, n_vocab, columns);
    ggml_tensor * best = ggml_reshape_2d(ctx, ggml_argmax(ctx, logits), 1, columns);
    // -log p[target] = (logit[best] - log p[best]) - logit[target]. p[best] >= 1/n_vocab, so this is exact even if
    // p[target] underflows.
    ggml_tensor * log_sum =
        ggml_sub(ctx, ggml_get_rows(ctx, logit_rows, best), ggml_log(ctx, ggml_get_rows(ctx, p_rows, best)));
    cross_entropy result{};
    result.loss = ggml_sub(ctx, log_sum, ggml_get_rows(ctx, logit_rows, targets)); // [1, 1, columns]
    if (with_gradient) {
        ggml_tensor * p_target = ggml_get_rows(ctx, p_rows, targets);
        ggml_tensor * minus_one = ggml_scale_bias(ctx, p_target, 1.0f, -1.0f);
        ggml_tensor * difference = ggml_set_rows(ctx, p_rows, minus_one, targets); // p - onehot, in p's place
        result.dlogits = ggml_mul(ctx, ggml_reshape_2d(ctx, difference, n_vocab, columns), weights);
    }
    return result;
}

int64_t loss_chunk_columns(int64_t n_vocab, int64_t n_tokens, int64_t budget_bytes, int64_t copies) {
    const int64_t per_column = copies * n_vocab * int64_t(sizeof(float));
    const int64_t fitting = budget_bytes / per_column / 32 * 32;
    // all chunks have the same size: the last one is filled up with columns of weight 0
    const int64_t max_columns = std::max<int64_t>(fitting, 32), chunks = (n_tokens + max_columns - 1) / max_columns;
    return std::min((((n_tokens + chunks - 1) / chunks) + 31) / 32 * 32, n_tokens);
}

}
