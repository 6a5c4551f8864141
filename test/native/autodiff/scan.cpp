// The gradient of a scan does not depend on the length of its segments.

#include "autodiff/engine/backward.h"
#include "autodiff/graph-nodes.h"
#include "autodiff/op-cases.h"
#include "core/ggml-ptr.h"
#include "harness.h"
#include "relative-error.h"

#include <ggml-backend.h>

using namespace llamatune;
using op_cases::leaves;
using op_cases::scan_shape;

namespace {

constexpr int64_t whole_bytes = 1 << 20; // one segment

struct result {
    std::vector<std::vector<float>> gradients;
    int nodes;
};

result gradients_by(const scan_shape & shape, bool by_head, int64_t slice_bytes) {
    leaves inputs(11);
    ggml_tensor * scan = op_cases::scan(inputs, shape, by_head);
    ggml_tensor * output = ggml_sqr(inputs.ctx(), scan); // so that the final states have gradients too
    ggml_tensor * weight = inputs.constant({output->ne[0]}, 0.2f, 1.0f);
    ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    inputs.allocate(ggml_backend_get_default_buffer_type(cpu.get()));
    inputs.graph().expand(output);
    ggml_cgraph * graph = inputs.graph().finish();
    const std::vector<ggml_tensor *> nodes = nodes_of(graph);
    gradients g(inputs.graph(), {ggml_backend_get_device(cpu.get())}, {rule_mode::composed, slice_bytes});
    for (ggml_tensor * p : inputs.parameters()) g.want(p);
    mark_gradient_path(g, nodes);
    g.add(output, weight);
    run_backward(g, nodes);
    std::vector<ggml_tensor *> results;
    for (ggml_tensor * p : inputs.parameters()) {
        results.push_back(g.contiguous(g.of(p)));
        ggml_set_output(results.back());
        inputs.graph().expand(results.back());
    }
    graph = inputs.graph().finish();
    std::unique_ptr<ggml_gallocr, decltype(&ggml_gallocr_free)> allocator{
        ggml_gallocr_new(ggml_backend_get_default_buffer_type(cpu.get())), ggml_gallocr_free};
    CHECK(ggml_gallocr_alloc_graph(allocator.get(), graph));
    CHECK(ggml_backend_graph_compute(cpu.get(), graph) == GGML_STATUS_SUCCESS);
    result r{{}, ggml_graph_n_nodes(graph)};
    for (const ggml_tensor * t : results) {
        r.gradients.emplace_back(size_t(ggml_nelements(t)));
        ggml_backend_tensor_get(t, r.gradients.back().data(), 0, ggml_nbytes(t));
    }
    return r;
}

void expect_independent(const scan_shape & shape, bool by_head, std::initializer_list<int64_t> slices) {
    const result whole = gradients_by(shape, by_head, whole_bytes);
    for (const int64_t slice_bytes : slices) {
        const result parts = gradients_by(shape, by_head, slice_bytes);
        CHECK(parts.nodes > whole.nodes); // there are several segments
        for (size_t p = 0; p < whole.gradients.size(); p++) {
            CHECK(relative_error(parts.gradients[p], whole.gradients[p]) < 1e-5);
        }
    }
}

}

TEST("autodiff/scan: segments of any length give the same gradients as one segment") {
    expect_independent({4, 1, 6, 1, 13, 2}, false, {400, 800});   // of 2 and of 4 tokens
    expect_independent({4, 3, 4, 2, 150, 2}, true, {1, 1 << 16}); // of 64 and of 128
}

TEST("autodiff/scan: states that decay by many orders of magnitude in a few tokens have finite gradients") {
    for (const bool by_head : {false, true}) {
        const result r =
            gradients_by({4, 2, 4, 1, 200, 1}, by_head, whole_bytes); // chunks of 64 tokens, decays down to e^-2 each
        for (const auto & gradient : r.gradients) {
            for (const float v : gradient) CHECK(std::isfinite(v));
        }
    }
}
