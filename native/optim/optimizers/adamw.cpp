// AdamW with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101):
//   m = β1 m + (1-β1) g;  v = β2 v + (1-β2) g²;  θ = θ (1 - η λ) - η m̂ / (√v̂ + ε)
//   m̂ = m / (1 - β1^t);  v̂ = v / (1 - β2^t)

#include "optim/optimizer-rule.h"

#include <cmath>

namespace llamatune {

namespace {

class adamw : public optimizer_rule {
public:
    explicit adamw(const optimizer_options & o)
        : beta1_(float(number_or(o.numbers, "beta1", 0.9))), beta2_(float(number_or(o.numbers, "beta2", 0.999))),
          epsilon_(float(number_or(o.numbers, "epsilon", 1e-8))),
          weight_decay_(float(number_or(o.numbers, "weightDecay", 0))) {}

    std::vector<std::string> state_names() const override { return {"m", "v"}; }

    std::vector<float> numbers(int64_t update, double learning_rate, bool decay) const override {
        return {
            float(learning_rate),
            beta1_,
            beta2_,
            epsilon_,
            decay ? weight_decay_ : 0.0f,
            float(1.0 / (1.0 - std::pow(double(beta1_), double(update)))), // m̂ = m · this
            float(1.0 / (1.0 - std::pow(double(beta2_), double(update)))), // v̂ = v · this
        };
    }

    std::vector<ggml_tensor *> update(tensor_arena & ctx, const parameter & p, ggml_tensor * gradient,
                                      const std::vector<ggml_tensor *> & state, ggml_tensor * numbers) const override {
        return {ggml_opt_step_adamw(ctx, p.value, gradient, state[0], state[1], numbers)};
    }

private:
    float beta1_, beta2_, epsilon_, weight_decay_;
};

}

std::unique_ptr<optimizer_rule> make_adamw(const optimizer_options & options) {
    return std::make_unique<adamw>(options);
}

}
