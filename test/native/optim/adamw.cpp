#include "optim/adamw.h"

#include "core/rng.h"
#include "harness.h"

#include <ggml-backend.h>

#include <algorithm>
#include <map>
#include <memory>

using namespace llamatune;

namespace {

std::vector<float> read(const ggml_tensor * t) {
    std::vector<float> values(size_t(ggml_nelements(t)));
    ggml_backend_tensor_get(t, values.data(), 0, ggml_nbytes(t));
    return values;
}

void write(ggml_tensor * t, const std::vector<float> & values) {
    ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t));
}

// Three tensors of different shapes: an A, a B that LoRA+ trains faster, and one without weight decay.
struct fixture {
    ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    ggml_context_ptr ctx{ggml_init({8 * ggml_tensor_overhead(), nullptr, true})};
    ggml_backend_buffer_ptr buffer;
    std::vector<parameter_value> values;

    fixture() {
        ggml_tensor * a = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 7, 3);
        ggml_tensor * b = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 3, 5);
        ggml_tensor * norm = ggml_new_tensor_1d(ctx.get(), GGML_TYPE_F32, 9);
        buffer.reset(ggml_backend_alloc_ctx_tensors(ctx.get(), cpu.get()));
        rng random(3);
        for (ggml_tensor * t : {a, b, norm}) {
            std::vector<float> start(size_t(ggml_nelements(t)));
            for (float & v : start) v = random.normal();
            write(t, start);
        }
        values = {{"a", a}, {"b", b, 16.0f}, {"norm", norm, 1.0f, false}};
    }
    // Each graph gets its memory once and keeps it, as in the trainer.
    void run(ggml_cgraph * graph) {
        auto & allocator = allocators[graph];
        if (!allocator) {
            allocator.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(cpu.get())), ggml_gallocr_free);
            CHECK(ggml_gallocr_alloc_graph(allocator.get(), graph));
        }
        CHECK(ggml_backend_graph_compute(cpu.get(), graph) == GGML_STATUS_SUCCESS);
    }
    std::map<ggml_cgraph *, std::shared_ptr<ggml_gallocr>> allocators;
};

}

TEST("optim/adamw: twenty steps follow the formula in double, with weight decay, LoRA+ and clipping") {
    fixture f;
    parameter_set parameters(f.values);
    const adamw_options options{0.9f, 0.99f, 1e-8f, 0.1f};
    adamw optimizer(parameters, options, ggml_backend_get_default_buffer_type(f.cpu.get()));
    CHECK_EQ(parameters.n_elements(), int64_t(21 + 15 + 9));

    std::vector<std::vector<double>> value, m, v;
    for (const parameter & p : parameters.all()) {
        const auto start = read(p.value);
        value.emplace_back(start.begin(), start.end());
        m.emplace_back(start.size(), 0.0);
        v.emplace_back(start.size(), 0.0);
    }
    rng random(8);
    constexpr double max_norm = 1.0;
    bool clipped = false, unclipped = false;
    for (int step = 1; step <= 20; step++) {
        const double rate = 0.01 * (1.0 - step / 25.0);
        double squared = 0;
        std::vector<std::vector<float>> gradient;
        for (const parameter & p : parameters.all()) {
            std::vector<float> g(size_t(ggml_nelements(p.gradient)));
            for (float & x : g) x = (step % 4 == 0 ? 0.01f : 0.5f) * random.normal();
            for (const float x : g) squared += double(x) * double(x);
            write(p.gradient, g);
            gradient.push_back(std::move(g));
        }
        const double norm = std::sqrt(squared);
        f.run(optimizer.norm_graph());
        CHECK_NEAR(optimizer.gradient_norm(), norm, 1e-5 * norm);

        const double c = std::min(1.0, max_norm / (norm + 1e-6));
        CHECK_NEAR(clip_coefficient(norm, max_norm), c, 1e-12);
        (c < 1 ? clipped : unclipped) = true;
        optimizer.set_step(step, rate, clip_coefficient(norm, max_norm));
        f.run(optimizer.update_graph());

        for (size_t p = 0; p < value.size(); p++) {
            const parameter & given = parameters.all()[p];
            const double eta = rate * double(given.learning_rate_scale),
                         decay = given.decay ? double(options.weight_decay) : 0.0;
            const double beta1 = double(options.beta1), beta2 = double(options.beta2);
            for (size_t i = 0; i < value[p].size(); i++) {
                const double g = c * double(gradient[p][i]);
                m[p][i] = beta1 * m[p][i] + (1 - beta1) * g;
                v[p][i] = beta2 * v[p][i] + (1 - beta2) * g * g;
                const double m_hat = m[p][i] / (1 - std::pow(beta1, step)),
                             v_hat = v[p][i] / (1 - std::pow(beta2, step));
                value[p][i] =
                    value[p][i] * (1 - eta * decay) - eta * m_hat / (std::sqrt(v_hat) + double(options.epsilon));
            }
            const auto received = read(given.value);
            for (size_t i = 0; i < received.size(); i++) CHECK_NEAR(received[i], value[p][i], 2e-5);
        }
    }
    CHECK(clipped && unclipped);
    // the gradient itself is left as it was: only the update sees the clipped one
    CHECK(read(parameters.all()[0].gradient) != std::vector<float>(21, 0.0f));
}

TEST("optim/adamw: a learning rate of zero changes no value, and a scale of B changes only B") {
    const auto run = [](float scale, double rate) {
        fixture f;
        f.values[1].learning_rate_scale = scale;
        parameter_set parameters(f.values);
        adamw optimizer(parameters, {}, ggml_backend_get_default_buffer_type(f.cpu.get()));
        std::vector<std::vector<float>> difference;
        for (const parameter & p : parameters.all()) {
            difference.push_back(read(p.value));
            write(p.gradient, std::vector<float>(size_t(ggml_nelements(p.gradient)), 0.3f));
        }
        optimizer.set_step(1, rate, 1.0);
        f.run(optimizer.update_graph());
        for (size_t i = 0; i < difference.size(); i++) {
            const auto now = read(parameters.all()[i].value);
            for (size_t j = 0; j < now.size(); j++) difference[i][j] -= now[j];
        }
        return difference;
    };
    for (const auto & d : run(4.0f, 0.0)) CHECK(d == std::vector<float>(d.size(), 0.0f));
    const auto plain = run(1.0f, 0.01), faster = run(4.0f, 0.01);
    CHECK(plain[0] == faster[0]);
    CHECK(plain[2] == faster[2]);
    // the first step of Adam is the learning rate in the gradient's direction
    for (const float d : plain[1]) CHECK_NEAR(d, 0.01, 1e-5);
    for (const float d : faster[1]) CHECK_NEAR(d, 0.04, 1e-5);
}

TEST("optim/parameter: gradients and moments start at zero, and zero_gradients leaves the moments") {
    fixture f;
    parameter_set parameters(f.values);
    CHECK(parameters.bytes() >= 3 * 45 * sizeof(float));
    for (const parameter & p : parameters.all()) {
        for (ggml_tensor * t : {p.gradient, p.first_moment, p.second_moment}) {
            CHECK(ggml_are_same_shape(t, p.value));
            CHECK(read(t) == std::vector<float>(size_t(ggml_nelements(t)), 0.0f));
            write(t, std::vector<float>(size_t(ggml_nelements(t)), 2.5f));
        }
    }
    const auto before = read(parameters.all()[1].value);
    parameters.zero_gradients();
    for (const parameter & p : parameters.all()) {
        CHECK(read(p.gradient) == std::vector<float>(size_t(ggml_nelements(p.gradient)), 0.0f));
        CHECK(read(p.first_moment) == std::vector<float>(size_t(ggml_nelements(p.gradient)), 2.5f));
        CHECK(read(p.second_moment) == std::vector<float>(size_t(ggml_nelements(p.gradient)), 2.5f));
    }
    CHECK(read(parameters.all()[1].value) == before);
}

TEST("optim/adamw: clipping is off for a maximum norm of zero") {
    CHECK_EQ(clip_coefficient(1e9, 0), 1.0);
    CHECK_EQ(clip_coefficient(0.5, 1.0), 1.0);
    CHECK_NEAR(clip_coefficient(10.0, 1.0), 0.1, 1e-7);
    CHECK_EQ(clip_coefficient(0.0, 1.0), 1.0);
}
