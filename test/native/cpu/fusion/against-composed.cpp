#ifdef LLAMATUNE_ONEDNN

#include "cpu/fusion/against-composed.h"

#include "autodiff/engine/backward.h"
#include "autodiff/engine/preflight.h"
#include "cpu/fusion/fuse.h"
#include "harness.h"

#include <ggml-backend.h>

using namespace llamatune;
using op_cases::leaves;

namespace fused {

namespace {

using vectors = std::vector<std::vector<float>>;

ggml_backend_ptr start(const char * device, int n_threads) {
    ggml_backend_ptr backend{ggml_backend_init_by_name(device, "f32")};
    if (!backend) SKIP("built without a library for matrix products");
    using set_n_threads_fn = void (*)(ggml_backend_t, int);
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend.get()));
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
    const ggml_backend_ptr products = start("matmul", n_threads), cpu = start("CPU", n_threads);
    made.allocate(ggml_backend_get_default_buffer_type(cpu.get()));
    node_order order;
    order.add(output);
    std::vector<ggml_tensor *> nodes;
    for (ggml_tensor * t : order.tensors()) {
        if (t->op != GGML_OP_NONE) nodes.push_back(t);
    }

    const std::vector<ggml_backend_dev_t> devices{ggml_backend_get_device(products.get()),
                                                  ggml_backend_get_device(cpu.get())};
    gradients g(made.graph(), devices, {with_kernels ? rule_mode::automatic : rule_mode::composed});
    host_ops kernels;
    for (ggml_tensor * p : made.parameters()) g.want(p);
    if (with_kernels) nodes = fuse(nodes, output, made.ctx(), kernels, g);
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
        if (is_host_op(ggml_graph_node(graph, i))) ops.push_back(host_op_name(ggml_graph_node(graph, i)));
    }
    ggml_backend_t backends[] = {products.get(), cpu.get()};
    const ggml_backend_sched_ptr scheduler{ggml_backend_sched_new(backends, nullptr, 2, 2048, false, true)};
    CHECK_EQ(int(ggml_backend_sched_graph_compute(scheduler.get(), graph)), int(GGML_STATUS_SUCCESS));
    vectors values;
    for (const ggml_tensor * t : results) values.push_back(read(t));
    return values;
}

double relative_error(const std::vector<float> & a, const std::vector<float> & b) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < a.size(); i++) {
        error += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
        norm += double(b[i]) * double(b[i]);
    }
    return norm > 0 ? std::sqrt(error / norm) : 1.0; // nothing but zeros would agree with anything
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

#endif
