// Compares derivatives of activations with their formulas, to F32's precision.

#include "autodiff/engine/backward.h"
#include "autodiff/graph-nodes.h"
#include "harness.h"

#include <ggml-backend.h>

using namespace llamatune;

namespace {

constexpr double pi = 3.14159265358979323846;

double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x))); }
double gelu_quick(double x) { return x / (1 + std::exp(-1.702 * x)); }
double softplus(double x) { return std::log1p(std::exp(-std::fabs(x))) + std::fmax(x, 0); }

// Returns the derivative of build(x) for every x in `at`.
std::vector<float> slopes(const std::vector<float> & at, rule_mode mode,
                          const std::function<ggml_tensor *(ggml_context *, ggml_tensor *)> & build) {
    ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    graph_builder builder;
    ggml_context * ctx = builder.ctx();
    ggml_tensor * x = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, int64_t(at.size()));
    ggml_tensor * one = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, int64_t(at.size()));
    ggml_tensor * y = build(ctx, x);
    builder.expand(y);
    const std::vector<ggml_tensor *> nodes = nodes_of(builder.finish());
    gradients g(builder, {ggml_backend_get_device(cpu.get())}, {mode});
    g.want(x);
    mark_gradient_path(g, nodes);
    g.add(y, one);
    run_backward(g, nodes);
    ggml_tensor * dx = g.of(x);
    ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors(ctx, cpu.get())};
    const std::vector<float> ones(at.size(), 1.0f);
    ggml_backend_tensor_set(x, at.data(), 0, ggml_nbytes(x));
    ggml_backend_tensor_set(one, ones.data(), 0, ggml_nbytes(one));
    CHECK(ggml_backend_graph_compute(cpu.get(), builder.finish()) == GGML_STATUS_SUCCESS);
    std::vector<float> values(at.size());
    ggml_backend_tensor_get(dx, values.data(), 0, ggml_nbytes(dx));
    return values;
}

}

TEST("autodiff/activations: derivatives match the formulas, for large inputs without NaN") {
    struct row {
        const char * name;
        ggml_unary_op op;
        std::function<double(double)> formula;
    };
    const row rows[] = {
        {"SILU", GGML_UNARY_OP_SILU, silu},
        {"GELU", GGML_UNARY_OP_GELU, gelu},
        {"GELU_QUICK", GGML_UNARY_OP_GELU_QUICK, gelu_quick},
        {"SOFTPLUS", GGML_UNARY_OP_SOFTPLUS, softplus},
        {"SIGMOID", GGML_UNARY_OP_SIGMOID, [](double x) { return 1 / (1 + std::exp(-x)); }},
        {"TANH", GGML_UNARY_OP_TANH, [](double x) { return std::tanh(x); }},
        {"GELU_ERF", GGML_UNARY_OP_GELU_ERF, [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }},
        {"ELU", GGML_UNARY_OP_ELU, [](double x) { return x > 0 ? x : std::expm1(x); }},
    };
    std::vector<float> at;
    for (float x = -8; x <= 8; x += 0.37f) at.push_back(x);
    for (const float far : {30.0f, 100.0f, 1e4f}) at.insert(at.end(), {far, -far});
    for (const float near : {0.0f, 1e-7f, 1e-4f}) at.insert(at.end(), {near, -near});
    for (const row & r : rows) {
        for (const rule_mode mode : {rule_mode::automatic, rule_mode::composed}) {
            const auto slope =
                slopes(at, mode, [&](ggml_context * ctx, ggml_tensor * x) { return ggml_unary(ctx, x, r.op); });
            for (size_t i = 0; i < at.size(); i++) {
                const double h = 1e-5, x = double(at[i]);
                const double expected = (r.formula(x + h) - r.formula(x - h)) / (2 * h);
                if (!(std::fabs(slope[i] - expected) < 2e-5)) {
                    harness::fail(__FILE__, __LINE__,
                                  std::string(r.name) + "' (" + std::to_string(x) + ") = " + std::to_string(expected) +
                                      " but received " + std::to_string(slope[i]));
                }
            }
        }
    }
}

TEST("autodiff/activations: gated units match the formulas") {
    struct row {
        const char * name;
        ggml_glu_op op;
        double (*formula)(double);
    };
    const row rows[] = {{"SWIGLU", GGML_GLU_OP_SWIGLU, silu},
                        {"GEGLU", GGML_GLU_OP_GEGLU, gelu},
                        {"GEGLU_QUICK", GGML_GLU_OP_GEGLU_QUICK, gelu_quick}};
    std::vector<float> at;
    for (float x = -8; x <= 8; x += 0.37f) at.push_back(x);
    for (const row & r : rows) {
        for (const rule_mode mode : {rule_mode::automatic, rule_mode::composed}) {
            // the gate is the input itself: d/dx f(x) x = f'(x) x + f(x)
            const auto slope =
                slopes(at, mode, [&](ggml_context * ctx, ggml_tensor * x) { return ggml_glu_split(ctx, x, x, r.op); });
            for (size_t i = 0; i < at.size(); i++) {
                const double h = 1e-5, x = double(at[i]);
                const double expected = ((x + h) * r.formula(x + h) - (x - h) * r.formula(x - h)) / (2 * h);
                if (!(std::fabs(slope[i] - expected) < 2e-6 * std::fmax(1.0, std::fabs(expected)))) {
                    harness::fail(__FILE__, __LINE__,
                                  std::string(r.name) + " at " + std::to_string(x) + ": " + std::to_string(expected) +
                                      " but received " + std::to_string(slope[i]));
                }
            }
        }
    }
}
