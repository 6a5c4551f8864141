#include "cpu/fusion/against-composed.h"

#include "autodiff/engine/backward.h"
#include "autodiff/engine/preflight.h"
#include "cpu/accelerator.h"
#include "harness.h"
#include "relative-error.h"

#include <ggml-backend.h>

using namespace llamatune;
using op_cases::leaves;

namespace fused {

namespace {

using vectors = std::vector<std::vector<float>>;

ggml_backend_ptr start(ggml_backend_dev_t device, int n_threads) {
    if (!device) SKIP("no CPU accelerator");
    ggml_backend_ptr backend{ggml_backend_dev_init(device, "f32")};
    using set_n_threads_fn = void (*)(ggml_backend_t, int);
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(device);
    reinterpret_cast<set_n_threads_fn>(ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_n_threads"))(
        backend.get(), n_threads);
    return backend;
}

std::vector<float> read(const ggml_tensor * t) {
    std::vector<float> values(size_t(ggml_nelements(t)));
    ggml_backend_tensor_get(t, values.data(), 0, ggml_nbytes(t));
    return values;
}

// The result, then the parameters' gradients.
vectors compute(const std::function<ggml_tensor *(leaves &)> & build, bool with_kernels, int n_threads,
                std::vector<std::string> & ops) {
    leaves made(7);
    ggml_tensor * output = build(made);
    ggml_tensor * weight = made.constant({output->ne[0], output->ne[1], output->ne[2], output->ne[3]}, 0.2f, 1.0f);
    const ggml_backend_ptr accelerator = start(accelerator_device(), n_threads);
    const ggml_backend_ptr cpu = start(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), n_threads);
    made.allocate(ggml_backend_get_default_buffer_type(cpu.get()));
    node_order order;
    order.add(output);
    std::vector<ggml_tensor *> nodes;
    for (ggml_tensor * t : order.tensors()) {
        if (t->op != GGML_OP_NONE) nodes.push_back(t);
    }

    const std::vector<ggml_backend_dev_t> devices{ggml_backend_get_device(accelerator.get()),
                                                  ggml_backend_get_device(cpu.get())};
    gradients g(made.graph(), devices, {with_kernels ? rule_mode::automatic : rule_mode::composed});
    fused_graph fused{nodes, nullptr};
    for (ggml_tensor * p : made.parameters()) g.want(p);
    if (with_kernels) fused = fuse(nodes, output, g);
    nodes = fused.nodes;
    ggml_set_output(output);
    for (ggml_tensor * node : nodes) g.run(node);
    mark_gradient_path(g, nodes);
    CHECK(ops_without_rule(g, nodes).empty());
    g.add(output, weight);
    run_backward(g, nodes);
    std::vector<ggml_tensor *> results{output};
    for (ggml_tensor * p : made.parameters()) {
        CHECK(g.of(p) != nullptr);
        results.push_back(g.contiguous(g.of(p)));
        ggml_set_output(results.back());
        g.run(results.back());
    }
    ggml_cgraph * graph = made.graph().finish();
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_CUSTOM) ops.push_back(op_name(node));
    }
    ggml_backend_t backends[] = {accelerator.get(), cpu.get()};
    const ggml_backend_sched_ptr scheduler{ggml_backend_sched_new(backends, nullptr, 2, 2048, false, true)};
    CHECK_EQ(int(ggml_backend_sched_graph_compute(scheduler.get(), graph)), int(GGML_STATUS_SUCCESS));
    vectors values;
    for (const ggml_tensor * t : results) values.push_back(read(t));
    return values;
}

}

comparison against_composed(const std::function<ggml_tensor *(leaves &)> & build, int n_threads) {
    comparison result;
    std::vector<std::string> none;
    const vectors ours = compute(build, true, n_threads, result.ops), theirs = compute(build, false, n_threads, none);
    CHECK(none.empty());
    CHECK_EQ(ours.size(), theirs.size());
    result.forward = relative_error(ours[0], theirs[0]);
    for (size_t i = 1; i < ours.size(); i++) result.backward.push_back(relative_error(ours[i], theirs[i]));
    return result;
}

void expect_same(const char * name, const std::vector<std::string> & ops,
                 const std::function<ggml_tensor *(leaves &)> & build, double forward, double backward) {
    const comparison c = against_composed(build);
    std::ostringstream wrong;
    if (c.ops != ops) {
        wrong << " nodes";
        for (const std::string & op : c.ops) wrong << " " << op;
    }
    if (!(c.forward < forward)) wrong << " forward " << c.forward;
    for (double error : c.backward) {
        if (!(error < backward)) wrong << " backward " << error;
    }
    if (!wrong.str().empty()) harness::fail(__FILE__, __LINE__, std::string(name) + ": received" + wrong.str());
}

}
