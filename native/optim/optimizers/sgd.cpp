// Stochastic gradient descent with momentum (as torch.optim.SGD) and decoupled weight decay (SGDW, arXiv 1711.05101):
//   b = μ b + g;  θ = θ (1 - η λ) - η b

#include "optim/optimizer-rule.h"

namespace llamatune {

namespace {

class sgd : public optimizer_rule {
public:
    explicit sgd(const optimizer_options & o)
        : momentum_(float(number_or(o.numbers, "momentum", 0.9))),
          weight_decay_(float(number_or(o.numbers, "weightDecay", 0))) {}

    std::vector<std::string> state_names() const override {
        if (momentum_ == 0) return {};
        return {"momentum"};
    }

    std::vector<float> numbers(int64_t, double learning_rate, bool decay) const override {
        return {float(learning_rate), decay ? weight_decay_ : 0.0f};
    }

    std::vector<ggml_tensor *> update(tensor_arena & ctx, const parameter & p, ggml_tensor * gradient,
                                      const std::vector<ggml_tensor *> & state, ggml_tensor * numbers) const override {
        ggml_tensor * direction = gradient;
        if (!state.empty()) {
            direction = ggml_add_inplace(ctx, ggml_scale_inplace(ctx, state[0], momentum_), gradient);
        }
        return {ggml_opt_step_sgd(ctx, p.value, direction, numbers)};
    }

private:
    float momentum_, weight_decay_;
};

}

std::unique_ptr<optimizer_rule> make_sgd(const optimizer_options & options) { return std::make_unique<sgd>(options); }

}
