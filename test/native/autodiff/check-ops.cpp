// Compares every gradient rule with central differences of the forward graph, once with fused *_BACK ops if the device
// has them and once composed from primitives. The gradient is computed on the device under test, the differences on the
// CPU.

#include "autodiff/engine/backward.h"
#include "autodiff/engine/rule.h"
#include "autodiff/graph-nodes.h"
#include "autodiff/op-cases.h"
#include "device/test-device.h"
#include "harness.h"
#include "relative-error.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace llamatune;
using op_cases::leaves;
using op_cases::op_case;

namespace {

struct cpu_backend {
    ggml_backend_ptr backend;

    explicit cpu_backend(int n_threads) : backend(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)) {
        using set_n_threads_fn = void (*)(ggml_backend_t, int);
        ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(device());
        const auto set =
            reinterpret_cast<set_n_threads_fn>(ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_n_threads"));
        set(backend.get(), n_threads);
    }
    ggml_backend_dev_t device() const { return ggml_backend_get_device(backend.get()); }
    ggml_backend_buffer_type_t buffer_type() const { return ggml_backend_get_default_buffer_type(backend.get()); }
};

// The thousands of forward runs use one thread; the backward pass uses two, so that races can show.
cpu_backend & one_thread() {
    static cpu_backend c(1);
    return c;
}
cpu_backend & two_threads() {
    static cpu_backend c(2);
    return c;
}

struct allocated_graph {
    std::unique_ptr<ggml_gallocr, decltype(&ggml_gallocr_free)> allocator{ggml_gallocr_new(one_thread().buffer_type()),
                                                                          ggml_gallocr_free};
    ggml_cgraph * graph;

    explicit allocated_graph(ggml_cgraph * g) : graph(g) { CHECK(ggml_gallocr_alloc_graph(allocator.get(), graph)); }
    void run(const cpu_backend & cpu) const {
        CHECK(ggml_backend_graph_compute(cpu.backend.get(), graph) == GGML_STATUS_SUCCESS);
    }
};

std::vector<float> read(const ggml_tensor * t) {
    CHECK(t->type == GGML_TYPE_F32 && ggml_is_contiguous(t));
    std::vector<float> values(size_t(ggml_nelements(t)));
    ggml_backend_tensor_get(t, values.data(), 0, ggml_nbytes(t));
    return values;
}

uint64_t seed_of(const op_case & c) {
    uint64_t seed = 1469598103934665603ull;
    for (const char letter : c.rule + c.name) seed = (seed ^ uint64_t(uint8_t(letter))) * 1099511628211ull;
    return seed;
}

// A case's graph and the loss  Σ weight · output  whose gradients are compared.
struct case_graph {
    leaves inputs;
    ggml_tensor * output;
    ggml_tensor * weight;
    ggml_cgraph * graph;
    std::vector<ggml_tensor *> nodes;

    case_graph(const op_case & c, ggml_backend_buffer_type_t type) : inputs(seed_of(c)) {
        output = c.build(inputs);
        if (!ggml_is_contiguous(output)) output = ggml_cont(inputs.ctx(), output);
        weight = inputs.constant({output->ne[0], output->ne[1], output->ne[2], output->ne[3]}, 0.2f, 1.0f);
        inputs.allocate(type);
        ggml_set_output(output);
        inputs.graph().expand(output);
        graph = inputs.graph().finish();
        nodes = nodes_of(graph);
    }
};

std::vector<std::vector<double>> numeric_gradients(const op_case & c) {
    case_graph b(c, one_thread().buffer_type());
    const allocated_graph forward(b.graph);
    const std::vector<float> weight = read(b.weight);
    const auto loss = [&] {
        forward.run(one_thread());
        const std::vector<float> y = read(b.output);
        double sum = 0;
        for (size_t i = 0; i < y.size(); i++) sum += double(y[i]) * double(weight[i]);
        return sum;
    };
    std::vector<std::vector<double>> gradients;
    for (ggml_tensor * p : b.inputs.parameters()) {
        std::vector<double> gradient;
        const std::vector<float> x = read(p);
        for (size_t i = 0; i < x.size(); i++) {
            const float above = float(double(x[i]) + c.step), below = float(double(x[i]) - c.step);
            ggml_backend_tensor_set(p, &above, i * sizeof(float), sizeof(float));
            const double high = loss();
            ggml_backend_tensor_set(p, &below, i * sizeof(float), sizeof(float));
            const double low = loss();
            ggml_backend_tensor_set(p, &x[i], i * sizeof(float), sizeof(float));
            gradient.push_back((high - low) / (double(above) - double(below)));
        }
        gradients.push_back(std::move(gradient));
    }
    return gradients;
}

// If `accumulate`, gradients are added to tensors that already hold values, as in the trainer.
std::vector<std::vector<float>> analytic_gradients(const op_case & c, rule_mode mode, bool accumulate) {
    constexpr float before = 0.25f;
    const ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(test_device::device());
    case_graph b(c, type);
    ggml_context_ptr kept{ggml_init({64 * ggml_tensor_overhead(), nullptr, true})};
    gradients g(b.inputs.graph(), test_device::devices(), {mode});
    std::vector<ggml_tensor *> results;
    for (ggml_tensor * p : b.inputs.parameters()) {
        g.want(p);
        if (accumulate) {
            results.push_back(ggml_dup_tensor(kept.get(), p));
            g.accumulate_into(p, results.back());
        }
    }
    ggml_backend_buffer_ptr buffer;
    if (accumulate) {
        buffer.reset(ggml_backend_alloc_ctx_tensors_from_buft(kept.get(), type));
        for (ggml_tensor * t : results) {
            const std::vector<float> values(size_t(ggml_nelements(t)), before);
            ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t));
        }
    }
    mark_gradient_path(g, b.nodes);
    const bool covers = std::any_of(b.nodes.begin(), b.nodes.end(),
                                    [&](ggml_tensor * node) { return g.wants(node) && c.rule == ggml_op_desc(node); });
    if (!covers) harness::fail(__FILE__, __LINE__, "a case for " + c.rule + " with that op on the gradient path");
    g.add(b.output, b.weight);
    run_backward(g, b.nodes);
    if (!accumulate) {
        for (ggml_tensor * p : b.inputs.parameters()) {
            CHECK(g.of(p) != nullptr);
            results.push_back(g.contiguous(g.of(p)));
            ggml_set_output(results.back());
            b.inputs.graph().expand(results.back());
        }
    }
    b.graph = b.inputs.graph().finish();
    if (mode == rule_mode::composed) {
        // A rule that is composed from primitives must not use a fused op.
        for (int i = int(b.nodes.size()); i < ggml_graph_n_nodes(b.graph); i++) { // the backward part
            const std::string op = ggml_op_name(ggml_graph_node(b.graph, i)->op);
            const bool fused = op.size() > 5 && op.substr(op.size() - 5) == "_BACK";
            if (fused) harness::fail(__FILE__, __LINE__, "only primitives in composed mode but received " + op);
        }
    }
    std::unique_ptr<allocated_graph> on_cpu;
    std::unique_ptr<test_device::runner> on_device;
    if (test_device::is_cpu()) {
        on_cpu = std::make_unique<allocated_graph>(b.graph);
        on_cpu->run(two_threads());
    } else {
        on_device = std::make_unique<test_device::runner>();
        on_device->run(b.graph);
    }
    std::vector<std::vector<float>> values;
    for (ggml_tensor * t : results) {
        values.push_back(read(t));
        if (accumulate) {
            for (float & v : values.back()) v -= before;
        }
    }
    return values;
}

void check(const op_case & c) {
    const auto numeric = numeric_gradients(c);
    CHECK(!numeric.empty());
    for (const rule_mode mode : {rule_mode::automatic, rule_mode::composed}) {
        for (const bool accumulate : {false, true}) {
            const auto analytic = analytic_gradients(c, mode, accumulate);
            for (size_t p = 0; p < numeric.size(); p++) {
                const double difference = relative_error(analytic[p], numeric[p]); // 1 if numeric is all zeros
                if (!(difference <= c.tolerance)) {
                    std::ostringstream os;
                    os << "the gradient of parameter " << p << " within " << c.tolerance
                       << " but received a relative error of " << difference
                       << (mode == rule_mode::composed ? ", composed" : ", automatic")
                       << (accumulate ? ", accumulated;" : ";");
                    for (size_t i = 0; i < std::min<size_t>(8, numeric[p].size()); i++) {
                        os << " " << numeric[p][i] << "/" << analytic[p][i];
                    }
                    harness::fail(__FILE__, __LINE__, os.str());
                }
            }
        }
    }
}

const bool registered = [] {
    for (const op_case & c : op_cases::all()) {
        harness::registry().push_back({"autodiff/rules: " + c.rule + ": " + c.name, [&c] { check(c); }});
    }
    return true;
}();

}

TEST("autodiff/rules: every rule has a case, and every case a rule") {
    CHECK(registered);
    std::set<std::string> rules, cases;
    for (const std::string & name : rule_names()) rules.insert(name);
    CHECK_EQ(rules.size(), rule_names().size());
    CHECK(rules.size() >= 40);
    for (const op_case & c : op_cases::all()) cases.insert(c.rule);
    std::string missing;
    for (const std::string & rule : rules) missing += cases.count(rule) ? "" : " " + rule;
    for (const std::string & rule : cases) missing += rules.count(rule) ? "" : " (no such rule) " + rule;
    if (!missing.empty()) harness::fail(__FILE__, __LINE__, "a case for every rule but there is none for:" + missing);
}
