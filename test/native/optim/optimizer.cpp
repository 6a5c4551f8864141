#include "optim/optimizer.h"

#include "core/rng.h"
#include "harness.h"
#include "model/tiny-models.h"

#include <algorithm>
#include <cmath>
#include <functional>

using namespace llamatune;

namespace {

using numbers = std::vector<double>;

std::vector<float> read(const ggml_tensor * t) {
    std::vector<float> values(size_t(ggml_nelements(t)));
    ggml_backend_tensor_get(t, values.data(), 0, ggml_nbytes(t));
    return values;
}

void write(ggml_tensor * t, const std::vector<float> & values) {
    ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t));
}

numbers in_double(const std::vector<float> & values) { return {values.begin(), values.end()}; }

// Three tensors of different shapes: an A, a B with a higher learning rate (LoRA+), and one without weight decay.
struct fixture {
    const std::shared_ptr<model> base = tiny::load("llama");
    compute devices{*base, 1};
    ggml_context_ptr ctx{ggml_init({8 * ggml_tensor_overhead(), nullptr, true})};
    ggml_backend_buffer_ptr buffer;
    std::vector<trained_tensor> tensors;

    explicit fixture(float scale_of_b = 16.0f) {
        ggml_tensor * a = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 7, 3);
        ggml_tensor * b = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 3, 5);
        ggml_tensor * norm = ggml_new_tensor_1d(ctx.get(), GGML_TYPE_F32, 9);
        buffer.reset(ggml_backend_alloc_ctx_tensors_from_buft(ctx.get(), ggml_backend_cpu_buffer_type()));
        rng random(3);
        for (ggml_tensor * t : {a, b, norm}) {
            std::vector<float> start(size_t(ggml_nelements(t)));
            for (float & v : start) v = random.normal();
            write(t, start);
        }
        tensors = {{"a", a}, {"b", b, scale_of_b}, {"norm", norm, 1.0f, false}};
    }
};

// Updates one number in double; `state` has the optimizer's state in its order.
struct element {
    double value, gradient, learning_rate, weight_decay;
    std::vector<double *> state;
};
using formula = std::function<void(element & e, int update)>;

constexpr double weight_decay = 0.1;

// Compares twenty updates with clipping, a falling learning rate, LoRA+ and weight decay with the formula.
void check_formula(std::unique_ptr<optimizer_rule> rule, const formula & apply) {
    fixture f;
    parameter_set parameters(f.tensors);
    optimizer optim(parameters, std::move(rule), f.devices);
    std::vector<numbers> values;
    std::vector<std::vector<numbers>> state(optim.state().size()); // [state][parameter]
    for (const parameter & p : parameters.all()) {
        values.push_back(in_double(read(p.value)));
        for (auto & s : state) s.emplace_back(values.back().size(), 0.0);
    }
    rng random(8);
    constexpr double max_norm = 1.0;
    bool clipped = false, unclipped = false;
    for (int update = 1; update <= 20; update++) {
        const double learning_rate = 0.01 * (1.0 - update / 25.0);
        double squared = 0;
        std::vector<std::vector<float>> gradients;
        for (const parameter & p : parameters.all()) {
            std::vector<float> g(size_t(ggml_nelements(p.gradient)));
            for (float & x : g) x = (update % 4 == 0 ? 0.01f : 0.5f) * random.normal();
            for (const float x : g) squared += double(x) * double(x);
            write(p.gradient, g);
            gradients.push_back(std::move(g));
        }
        const double norm = std::sqrt(squared), c = std::min(1.0, max_norm / (norm + 1e-6));
        CHECK_NEAR(optim.gradient_norm(), norm, 1e-5 * norm);
        CHECK_NEAR(clip_coefficient(norm, max_norm), c, 1e-12);
        (c < 1 ? clipped : unclipped) = true;
        optim.update(update, learning_rate, c);

        for (size_t p = 0; p < values.size(); p++) {
            const parameter & given = parameters.all()[p];
            const auto received = read(given.value);
            for (size_t i = 0; i < received.size(); i++) {
                element e{values[p][i],
                          c * double(gradients[p][i]),
                          learning_rate * double(given.learning_rate_scale),
                          given.decay ? weight_decay : 0.0,
                          {}};
                for (auto & s : state) e.state.push_back(&s[p][i]);
                apply(e, update);
                values[p][i] = e.value;
                CHECK_NEAR(received[i], values[p][i], 2e-5);
            }
            // clipping must not change the stored gradient
            CHECK(read(given.gradient) == gradients[p]);
        }
    }
    CHECK(clipped && unclipped);
}

// An optimizer as an example, Lion (arXiv 2302.06675). It updates the value from the old momentum, so the order of its
// two results matters:  c = β1 m + (1-β1) g;  θ = θ (1 - η λ) - η sign(c);  m = β2 m + (1-β2) g
class lion : public optimizer_rule {
public:
    static constexpr float beta1 = 0.9f, beta2 = 0.99f;

    std::vector<std::string> state_names() const override { return {"m"}; }

    std::vector<float> numbers(int64_t, double learning_rate, bool decay) const override {
        return {float(learning_rate), decay ? float(weight_decay) : 0.0f};
    }

    std::vector<ggml_tensor *> update(tensor_arena & ctx, const parameter & p, ggml_tensor * gradient,
                                      const std::vector<ggml_tensor *> & state, ggml_tensor * numbers) const override {
        ggml_tensor * m = state[0];
        ggml_tensor * c = ggml_add(ctx, ggml_scale(ctx, m, beta1), ggml_scale(ctx, gradient, 1 - beta1));
        // more nodes than any fixed size for three parameters would expect
        for (int i = 0; i < 50; i++) c = ggml_scale(ctx, c, i % 2 ? 0.5f : 2.0f);
        ggml_tensor * next = ggml_add(ctx, ggml_scale(ctx, m, beta2), ggml_scale(ctx, gradient, 1 - beta2));
        return {ggml_opt_step_sgd(ctx, p.value, ggml_sgn(ctx, c), numbers), ggml_cpy(ctx, next, m)};
    }
};

}

TEST("optim: adamw follows its formula, computed in double precision") {
    const optimizer_options options{
        "adamw", {{"beta1", 0.9}, {"beta2", 0.99}, {"epsilon", 1e-8}, {"weightDecay", weight_decay}}};
    check_formula(make_optimizer_rule(options), [](element & e, int update) {
        double &m = *e.state[0], &v = *e.state[1];
        m = 0.9 * m + 0.1 * e.gradient;
        v = 0.99 * v + 0.01 * e.gradient * e.gradient;
        const double m_hat = m / (1 - std::pow(0.9, update)), v_hat = v / (1 - std::pow(0.99, update));
        e.value =
            e.value * (1 - e.learning_rate * e.weight_decay) - e.learning_rate * m_hat / (std::sqrt(v_hat) + 1e-8);
    });
}

TEST("optim: sgd follows its formula, computed in double precision, with and without momentum") {
    for (const double momentum : {0.9, 0.0}) {
        const optimizer_options options{"sgd", {{"momentum", momentum}, {"weightDecay", weight_decay}}};
        check_formula(make_optimizer_rule(options), [&](element & e, int) {
            double direction = e.gradient;
            if (!e.state.empty()) direction = *e.state[0] = momentum * *e.state[0] + e.gradient;
            e.value = e.value * (1 - e.learning_rate * e.weight_decay) - e.learning_rate * direction;
        });
    }
}

TEST("optim: an optimizer with many nodes and several results follows its formula, computed in double precision") {
    check_formula(std::make_unique<lion>(), [](element & e, int) {
        double & m = *e.state[0];
        const double c = lion::beta1 * m + (1 - lion::beta1) * e.gradient;
        e.value = e.value * (1 - e.learning_rate * e.weight_decay) - e.learning_rate * (c > 0 ? 1 : c < 0 ? -1 : 0);
        m = lion::beta2 * m + (1 - lion::beta2) * e.gradient;
    });
}

TEST("optim: each optimizer keeps the tensors that its update needs, and the estimate counts them") {
    const auto states = [](const optimizer_options & options) {
        fixture f;
        parameter_set parameters(f.tensors);
        const optimizer optim(parameters, options, f.devices);
        std::vector<std::string> names;
        for (const optimizer::state_tensors & s : optim.state()) {
            names.push_back(s.name);
            for (size_t i = 0; i < f.tensors.size(); i++) {
                CHECK(ggml_are_same_shape(s.tensors.all()[i], f.tensors[i].value));
                CHECK(read(s.tensors.all()[i]) == std::vector<float>(read(f.tensors[i].value).size(), 0.0f));
            }
        }
        CHECK_EQ(optimizer_state_bytes(options, parameters.n_elements()), names.size() * 45 * sizeof(float));
        return names;
    };
    CHECK(states({"adamw", {}}) == std::vector<std::string>({"m", "v"}));
    CHECK(states({"sgd", {}}) == std::vector<std::string>{"momentum"});
    CHECK(states({"sgd", {{"momentum", 0.0}}}).empty());
    CHECK_ERROR("CONFIG_INVALID", states({"none", {}}));
}

TEST("optim: a learning rate of zero changes nothing, and B's scale changes only B") {
    const auto difference = [](const std::string & type, float scale, double learning_rate) {
        fixture f(scale);
        parameter_set parameters(f.tensors);
        optimizer optim(parameters, {type, {}}, f.devices);
        std::vector<std::vector<float>> change;
        for (const parameter & p : parameters.all()) {
            change.push_back(read(p.value));
            write(p.gradient, std::vector<float>(change.back().size(), 0.3f));
        }
        optim.update(1, learning_rate, 1.0);
        for (size_t i = 0; i < change.size(); i++) {
            const auto now = read(parameters.all()[i].value);
            for (size_t j = 0; j < now.size(); j++) change[i][j] -= now[j];
        }
        return change;
    };
    // AdamW's first step is the learning rate, SGD's the learning rate times the gradient
    for (const auto & [type, step] : {std::pair{"adamw", 0.01}, std::pair{"sgd", 0.003}}) {
        for (const auto & d : difference(type, 4.0f, 0.0)) CHECK(d == std::vector<float>(d.size(), 0.0f));
        const auto plain = difference(type, 1.0f, 0.01), faster = difference(type, 4.0f, 0.01);
        CHECK(plain[0] == faster[0]);
        CHECK(plain[2] == faster[2]);
        for (const float d : plain[1]) CHECK_NEAR(d, step, 1e-5);
        for (const float d : faster[1]) CHECK_NEAR(d, 4 * step, 1e-5);
    }
}

TEST("optim: zero_gradients clears the gradients and leaves the values and the state") {
    fixture f;
    parameter_set parameters(f.tensors);
    const optimizer optim(parameters, optimizer_options{}, f.devices);
    CHECK(parameters.gradient_bytes() >= 45 * sizeof(float));
    const auto ones = [](const ggml_tensor * t) { return std::vector<float>(size_t(ggml_nelements(t)), 1.0f); };
    for (size_t i = 0; i < parameters.all().size(); i++) {
        const parameter & p = parameters.all()[i];
        CHECK(ggml_are_same_shape(p.gradient, p.value));
        CHECK(read(p.gradient) == std::vector<float>(ones(p.value).size(), 0.0f));
        for (ggml_tensor * t : {p.value, p.gradient, optim.state()[0].tensors.all()[i]}) write(t, ones(t));
    }
    parameters.zero_gradients();
    for (size_t i = 0; i < parameters.all().size(); i++) {
        const parameter & p = parameters.all()[i];
        CHECK(read(p.gradient) == std::vector<float>(ones(p.value).size(), 0.0f));
        CHECK(read(p.value) == ones(p.value));
        CHECK(read(optim.state()[0].tensors.all()[i]) == ones(p.value));
    }
}

TEST("optim: clipping is off for a maximum norm of zero") {
    CHECK_EQ(clip_coefficient(1e9, 0), 1.0);
    CHECK_EQ(clip_coefficient(0.5, 1.0), 1.0);
    CHECK_NEAR(clip_coefficient(10.0, 1.0), 0.1, 1e-7);
    CHECK_EQ(clip_coefficient(0.0, 1.0), 1.0);
}
