#include "autodiff/engine/preflight.h"

#include "autodiff/engine/backward.h"
#include "autodiff/engine/rule.h"
#include "autodiff/graph-nodes.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "harness.h"

#include <ggml-backend.h>

#include <algorithm>

using namespace llamatune;

namespace {

struct fixture {
    graph_builder builder;
    tensor_arena & ctx = builder.ctx();
    gradients g{builder, {ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)}};
    ggml_tensor * parameter = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 4, 3);
    ggml_tensor * constant = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 4, 3);

    std::vector<ggml_tensor *> mark(ggml_tensor * output) {
        builder.expand(output);
        const std::vector<ggml_tensor *> nodes = nodes_of(builder.finish());
        g.want(parameter);
        mark_gradient_path(g, nodes);
        return nodes;
    }
};

}

TEST("autodiff/preflight: ops without a rule on the gradient path are named, each once") {
    fixture f;
    tensor_arena & ctx = f.ctx;
    ggml_tensor * once = ggml_leaky_relu(ctx, f.parameter, 0.1f, false);
    ggml_tensor * twice = ggml_leaky_relu(ctx, ggml_add(ctx, once, f.constant), 0.1f, false);
    const auto nodes = f.mark(ggml_pool_1d(ctx, twice, GGML_OP_POOL_MAX, 1, 1, 0));
    const auto names = ops_without_rule(f.g, nodes);
    CHECK_EQ(names.size(), size_t(2));
    CHECK_EQ(names[0], "LEAKY_RELU");
    CHECK_EQ(names[1], "POOL_1D");
    try {
        require_no_missing(names, {"SSM_SCAN"}, "a test");
        harness::fail(__FILE__, __LINE__, "error UNSUPPORTED_OP");
    } catch (const error & e) {
        const std::string message = e.what();
        CHECK_EQ(e.code(), "UNSUPPORTED_OP");
        for (const char * part : {"LEAKY_RELU", "POOL_1D", "SSM_SCAN", "a test"})
            CHECK(message.find(part) != std::string::npos);
        CHECK(!e.hint().empty());
    }
    require_no_missing({}, {}, "a test");
    // run_backward() itself also refuses an op that preflight would have named
    f.g.add(nodes.back(), f.constant);
    CHECK_ERROR("UNSUPPORTED_OP", run_backward(f.g, nodes));
}

TEST("autodiff/preflight: ops that no gradient flows through need no rule") {
    fixture f;
    tensor_arena & ctx = f.ctx;
    ggml_tensor * frozen = ggml_leaky_relu(ctx, f.constant, 0.1f, false);
    const auto nodes = f.mark(ggml_mul(ctx, ggml_sqr(ctx, f.parameter), frozen));
    CHECK(!f.g.wants(frozen));
    CHECK(f.g.wants(nodes.back()));
    CHECK(ops_without_rule(f.g, nodes).empty());
    f.g.add(nodes.back(), f.constant);
    run_backward(f.g, nodes);
    CHECK(f.g.of(f.parameter) != nullptr);
}

TEST("autodiff/preflight: indices and rounding end the gradient path without an error") {
    fixture f;
    tensor_arena & ctx = f.ctx;
    ggml_tensor * order = ggml_argsort(ctx, f.parameter, GGML_SORT_ORDER_DESC);
    ggml_tensor * best = ggml_view_2d(ctx, order, 2, 3, order->nb[1], 0);
    ggml_tensor * stepped = ggml_step(ctx, f.parameter);
    ggml_tensor * picked = ggml_get_rows(ctx, ggml_reshape_3d(ctx, f.parameter, 1, 4, 3), best); // [1, 2, 3]
    const auto nodes = f.mark(ggml_add(ctx, ggml_sum(ctx, picked), ggml_sum(ctx, stepped)));
    for (ggml_tensor * stopped : {order, best, stepped}) CHECK(!f.g.wants(stopped));
    CHECK(f.g.wants(picked));
    CHECK(ops_without_rule(f.g, nodes).empty());
}

TEST("autodiff/preflight: ops that only feed a selection need no rule") {
    fixture f;
    tensor_arena & ctx = f.ctx;
    ggml_tensor * scores = ggml_sqr(ctx, f.parameter);
    ggml_tensor * without_rule = ggml_leaky_relu(ctx, scores, 0.1f, false); // like the scores of groups of experts
    ggml_tensor * best = ggml_argsort_top_k(ctx, ggml_add(ctx, without_rule, f.constant), 2);
    ggml_tensor * picked = ggml_get_rows(ctx, ggml_reshape_3d(ctx, scores, 1, 4, 3), best); // [1, 2, 3]
    const auto nodes = f.mark(ggml_sum(ctx, picked));
    CHECK(!f.g.wants(without_rule));
    CHECK(f.g.wants(scores) && f.g.wants(picked) && f.g.wants(f.parameter));
    CHECK(ops_without_rule(f.g, nodes).empty());
    f.g.add(nodes.back(), ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 1));
    run_backward(f.g, nodes);
    CHECK(f.g.of(f.parameter) != nullptr);
}

TEST("autodiff/preflight: the gradient path ends at the result, not at the last node") {
    fixture f;
    tensor_arena & ctx = f.ctx;
    ggml_tensor * result = ggml_sqr(ctx, f.parameter);
    ggml_tensor * unrelated = ggml_leaky_relu(ctx, result, 0.1f, false);
    f.g.want(f.parameter);
    mark_gradient_path(f.g, {result, unrelated}, result);
    CHECK(f.g.wants(result) && !f.g.wants(unrelated));
    mark_gradient_path(f.g, {result, unrelated});
    CHECK(f.g.wants(result) && f.g.wants(unrelated));
}

TEST("autodiff/preflight: ops that no device runs are named") {
    fixture f;
    // IQ1_S has no conversion from F32 on the CPU
    ggml_tensor * wide = ggml_new_tensor_2d(f.ctx, GGML_TYPE_F32, 256, 2);
    f.builder.expand(ggml_cast(f.ctx, ggml_sqr(f.ctx, wide), GGML_TYPE_IQ1_S));
    const auto names = ops_without_device(f.builder.finish(), {ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)});
    CHECK_EQ(names.size(), size_t(1));
    CHECK_EQ(names[0], "CPY");
    CHECK(ops_without_device(f.builder.finish(), {}).size() == 2);
}

TEST("autodiff/preflight: no op has both a rule and a zero gradient") {
    for (const std::string & name : rule_names()) CHECK(!name.empty());
    fixture f;
    tensor_arena & ctx = f.ctx;
    for (int i = 0; i < GGML_UNARY_OP_COUNT; i++) {
        ggml_tensor * node = ggml_unary(ctx, f.parameter, ggml_unary_op(i));
        CHECK(!(find_rule(node) && has_no_gradient(node)));
    }
    for (ggml_tensor * node : {ggml_argmax(ctx, f.parameter), ggml_argsort(ctx, f.parameter, GGML_SORT_ORDER_ASC)}) {
        CHECK(!find_rule(node) && has_no_gradient(node));
    }
}
